"""One self-contained HTML page of a phonon calculation."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from platonic_ase.monitor.diagnosis import UNCALIBRATED
from platonic_ase.phonons import figures
from platonic_ase.phonons.correction_report import correction_section
from platonic_ase.report.html import facts, figure, number, page, plural, table
from platonic_ase.report.plots.style import to_svg

if TYPE_CHECKING:
    from platonic_ase.phonons.result import PhononResult


def render_phonons(result: PhononResult) -> str:
    """HTML text of the report.

    Parameters
    ----------
    result : PhononResult
    """
    settings = result.settings
    relaxation = result.relaxation
    body = [
        f"<header>\n<h1>Phonons of {escape(result.formula)}</h1>",
        facts(
            {
                "Model": settings["model"],
                "Space group": None if relaxation is None else relaxation.space_group,
                "Supercell": f"{settings['supercell_atoms']} atoms, "
                f"{settings['supercell_width_A']:.1f} Å wide",
                "Displacements": f"{settings['displacements']} of "
                f"{settings['displacement_A']:.3g} Å",
                "Relaxation": _relaxation(result),
                "Residual force in the supercell": f"{number(result.residual_force, 2)} eV/Å",
                "Mesh": " × ".join(str(n) for n in settings["mesh"]),
                "Versions": f"platonic_ase {settings['platonic_ase']}, "
                f"phonopy {settings['phonopy']}",
            }
        ),
        "</header>",
        _verdict(result),
        _risks(result),
        _events(result),
        correction_section(result),
        *_figures(result),
        _features(result),
    ]
    return page(f"platonic_ase: phonons of {result.formula}", body)


def _relaxation(result: PhononResult) -> str | None:
    relaxation = result.relaxation
    if relaxation is None:
        return None
    if not relaxation.done:
        text = "none"
    else:
        text = ("converged" if relaxation.converged else "not converged") + (
            f" in {plural(relaxation.steps, 'step')}"
        )
    if relaxation.pressure is not None:
        text += f"; pressure {number(relaxation.pressure, 2)} GPa"
    return text


def _verdict(result: PhononResult) -> str:
    """Quiet, warned, or uncalibrated; then what limits the result."""
    warned = [event for event in result.events if event.signal.group or _of_phonons(event.kind)]
    remarks = [f"{_sentence(event.signal.message)} {event.signal.advice}" for event in warned]
    if warned:
        kind, title = "alarm", "Do not trust these phonons unchecked"
    elif result.risk.calibration == UNCALIBRATED:
        kind, title = "unknown", "Uncalibrated"
        if not result.risk.outside:  # else a remark of the result says why
            remarks.append(
                "There is no calibration of phonon errors for this model: the features below were "
                "measured, but not turned into a risk."
            )
    elif result.spectrum is not None and result.spectrum.imaginary:
        kind, title = "unknown", "Imaginary modes"
        remarks.append(
            "Nothing in the displaced supercells foretells a large error, so that the instability "
            "may be real: check it with DFT, or follow the mode to a lower phase."
        )
    elif result.risk.outside:
        kind, title = "unknown", "Not known well"
        remarks.append(
            "Nothing foretells a large error, but the crystal is unlike those of the calibration: "
            "the risk below is close to what holds for any crystal."
        )
    else:
        kind, title = "quiet", "Quiet"
        remarks.append("Nothing in the displaced supercells foretells a large error.")
    if result.ended != "finished":
        title += " (the run did not finish)"
        remarks.append(f"The run ended before the phonons were computed: {result.ended}.")
    spectrum = result.spectrum
    if spectrum is not None and spectrum.imaginary:
        remarks.append(
            f"The spectrum has imaginary modes: {100 * spectrum.imaginary_share:.1f} % of the "
            f"mesh, down to {spectrum.lowest:.2f} THz."
        )
    text = "".join(f"<p>{escape(remark)}</p>" for remark in (*remarks, *result.remarks))
    return f'<div class="verdict {kind}"><strong>{escape(title)}</strong>{text}</div>'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _of_phonons(kind: str) -> bool:
    return kind in {"loose_relaxation", "phonon_error", "imaginary_modes"}


def _risks(result: PhononResult) -> str:
    risk = result.risk
    interval = "" if risk.interval is None else (
        f" (90 %: {100 * risk.interval[0]:.0f} to {100 * risk.interval[1]:.0f} %)"
    )  # fmt: skip
    unlike = ", ".join(risk.outside)
    rows = [
        (
            "Relative error of the spectrum",
            UNCALIBRATED
            if risk.relative_error is None
            else f"{100 * risk.relative_error:.0f} %{interval}",
            "Predicted mean distance of the spectrum to the true one, over the mean frequency",
        ),
        (
            "Probability that it exceeds 15 %",
            _probability(risk.probability_above_15_percent),
            "",
        ),
        (
            "Probability that it exceeds 25 %",
            _probability(risk.probability_above_25_percent),
            "",
        ),
        (
            "Probability that it is in the worst third",
            _probability(risk.probability_worst_third),
            "Of this model's errors on the crystals of its calibration",
        ),
        (
            "Probability of spurious imaginary modes",
            _probability(risk.probability_imaginary),
            "",
        ),
    ]
    return (
        "<section>\n<h2>Risk, before diagonalisation</h2>\n"
        + table(
            (("Risk", "k"), ("Value", "n"), ("", "")),
            [[escape(cell) for cell in row] for row in rows],
        )
        + f'<p class="muted">Calibration: {escape(risk.calibration)}'
        + (f"; the crystal is unlike it in {escape(unlike)}" if unlike else "")
        + ".</p>\n</section>"
    )


def _probability(value: float | None) -> str:
    return UNCALIBRATED if value is None else f"{value:.2f}"


def _events(result: PhononResult) -> str:
    if not result.events:
        return ""
    rows = [
        (
            escape(event.kind.replace("_", " ")),
            escape(number(event.signal.value, 3)),
            escape(f"{_sentence(event.signal.message)} {event.signal.advice}"),
        )
        for event in result.events
    ]
    return "<section>\n<h2>Warnings</h2>\n" + table(
        (("Kind", "k"), ("Value", "n"), ("What was seen", "")), rows
    ) + "\n</section>"  # fmt: skip


def _figures(result: PhononResult) -> list[str]:
    sections = []
    spectrum = result.spectrum
    corrected = () if result.corrected is None else tuple(result.corrected.spectra.values())
    if spectrum is not None:
        drawn = figures.bands_and_dos(spectrum, corrected)
        sections.append(
            figure(
                "Band structure and density of states",
                "Blue: frequencies of the model as they are. "
                + ("Dashed: the estimated correction, with its band. " if corrected else "")
                + "Imaginary frequencies are drawn below zero.",
                to_svg(drawn, "bands"),
            )
        )
        if spectrum.modes:
            sections.append(_modes(result))
    if result.responses:
        symbols = list(result.phonon.supercell.symbols)
        drawn = figures.displacement_responses(figures.as_bars(symbols, result.responses))
        sections.append(
            figure(
                "Response to each displacement",
                "Each bar is one atom moved along one line. r is how far it moves in the "
                "Platonic space per Å; k is the force that drives it back per Å, negative where "
                "it is driven further out; k / r is the restoring force per Platonic "
                "displacement. The shares are those of the moved atom in the squared response "
                "and force of all atoms: a low share of the force announces soft modes.",
                to_svg(drawn, "responses"),
            )
        )
    if spectrum is not None:
        drawn = figures.thermal_properties(spectrum, len(result.phonon.primitive), corrected)
        sections.append(
            figure(
                "Thermal properties",
                "Harmonic, at constant volume, per mole of primitive cells."
                + (" Imaginary modes are left out." if spectrum.imaginary else ""),
                to_svg(drawn, "thermal"),
            )
        )
    return sections


def _modes(result: PhononResult) -> str:
    assert result.spectrum is not None
    rows = [
        (
            f"{mode.frequency:.2f}",
            escape("(" + ", ".join(f"{x:.3g}" for x in mode.q) + ")"),
            "held by the supercell" if mode.commensurate else "interpolated",
            escape(
                ", ".join(
                    f"{symbol}{atom} {100 * share:.0f} %"
                    for symbol, atom, share in zip(
                        mode.symbols, mode.atoms, mode.shares, strict=True
                    )
                )
            ),
        )
        for mode in result.spectrum.modes
    ]
    return "<section>\n<h2>Imaginary modes</h2>\n" + table(
        (("THz", "n"), ("Wave vector", "k"), ("", "k"), ("Atoms of the primitive cell", "")), rows
    ) + "\n</section>"  # fmt: skip


def _features(result: PhononResult) -> str:
    if result.features is None:
        return ""
    rows = [
        (f"<code>{escape(name)}</code>", escape(number(value, 4)))
        for name, value in result.features.to_dict().items()
    ]
    return "<section>\n<h2>Features</h2>\n" + table(
        (("Name", "k"), ("Value", "n")), rows
    ) + "\n</section>"  # fmt: skip
