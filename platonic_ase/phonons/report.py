"""One self-contained HTML page of a phonon calculation."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.diagnosis import UNCALIBRATED
from platonic_ase.phonons import charts
from platonic_ase.phonons.animation import AMPLITUDE, mode_frames
from platonic_ase.phonons.correction_report import correction_section
from platonic_ase.report.charts import Chart
from platonic_ase.report.html import (
    chart_section,
    facts,
    fold,
    jump,
    number,
    plural,
    section,
    table,
    viewer_section,
)
from platonic_ase.report.sheet import Gallery, Group, sheet
from platonic_ase.report.verdict import Verdict

if TYPE_CHECKING:
    from platonic_ase.phonons.result import PhononResult

MOST_MODES = 3
"""Imaginary modes that are animated."""
_MOST_ATOMS = 120  # of an animated cell


def render_phonons(result: PhononResult) -> str:
    """HTML text of the report.

    Parameters
    ----------
    result : PhononResult
    """
    drawn, gallery = _charts(result), _gallery(result)
    sections = [
        _bands(result) if "bands" in drawn else "",
        _modes(result, 0 if gallery is None else len(gallery.groups)),
        ""
        if gallery is None
        else viewer_section(
            "The imaginary modes as motions",
            "As if each were a vibration, drawn with a largest displacement of "
            f"{AMPLITUDE:g} Å in the cells that its wave needs. Atoms are coloured by their share "
            "in the mode. A real structure does not vibrate so: it falls along it.",
            moving=True,
        ),
        _risks(result),
        _events(result),
        correction_section(result),
        _responses() if "responses" in drawn else "",
        _thermal(result) if "thermal" in drawn else "",
        _features(result),
        section("The calculation", _about(result)),
    ]
    return sheet(f"Phonons of {result.formula}", _verdict(result), sections, drawn, gallery)


def _about(result: PhononResult) -> str:
    settings = result.settings
    relaxation = result.relaxation
    return facts(
        {
            "Model": settings["model"],
            "Space group": None if relaxation is None else relaxation.space_group,
            "Supercell": f"{settings['supercell_atoms']} atoms, "
            f"{settings['supercell_width_A']:.1f} Å wide",
            "Displacements": f"{settings['displacements']} of {settings['displacement_A']:.3g} Å",
            "Relaxation": _relaxation(result),
            "Residual force in the supercell": f"{number(result.residual_force, 2)} eV/Å",
            "Mesh": " × ".join(str(n) for n in settings["mesh"]),
            "Versions": f"platonic_ase {settings['platonic_ase']}, phonopy {settings['phonopy']}",
        }
    )


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


def _verdict(result: PhononResult) -> Verdict:
    """Quiet, warned, or uncalibrated, and what to do; then what limits the result."""
    warned = [event for event in result.events if event.signal.group or _of_phonons(event.kind)]
    said = [f"{_sentence(event.signal.message)} {event.signal.advice}" for event in warned]
    spectrum, ended = result.spectrum, result.ended != "finished"
    if warned:
        kind, title = "alarm", "Do not trust these phonons unchecked"
        sentence, *remarks = said
    elif result.risk.calibration == UNCALIBRATED:
        kind, title, remarks = "unknown", "Uncalibrated", []
        sentence = (
            "How wrong these phonons are is not known: check one crystal of the kind against DFT "
            "before you rely on them."
        )
        if not result.risk.outside:  # else a remark of the result says why
            remarks.append(
                "There is no calibration of phonon errors for this model: the features below were "
                "measured, but not turned into a risk."
            )
    elif spectrum is not None and spectrum.imaginary:
        kind, title, remarks = "unknown", "Imaginary modes", []
        sentence = (
            "Nothing in the displaced supercells foretells a large error, so that the instability "
            "may be real: check it with DFT, or follow the mode to a lower phase."
        )
    elif result.risk.outside:
        kind, title, remarks = "unknown", "Not known well", []
        sentence = (
            "Nothing foretells a large error, but the crystal is unlike those of the calibration: "
            "the risk below is close to what holds for any crystal."
        )
    else:
        kind, title, remarks = "quiet", "Quiet", []
        sentence = _expected(result)
    if ended:
        title += " (the run did not finish)"
        remarks.append(
            f"The run ended before the phonons were computed: {result.ended}. The same command "
            "goes on from there."
        )
    if spectrum is not None and spectrum.imaginary:
        remarks.append(
            f"The spectrum has imaginary modes: {100 * spectrum.imaginary_share:.1f} % of the "
            f"mesh, down to {spectrum.lowest:.2f} THz."
        )
    return Verdict(kind, title, sentence, [*remarks, *result.remarks])


def _expected(result: PhononResult) -> str:
    error = result.risk.relative_error
    if error is None:
        return "Nothing in the displaced supercells foretells a large error: use the spectrum."
    between = ""
    if result.risk.interval is not None:
        low, high = (100 * each for each in result.risk.interval)
        between = f" (90 %: {low:.0f} to {high:.0f} %)"
    return (
        f"The predicted error is {100 * error:.0f} % of the mean frequency{between}: use the "
        "spectrum with that error in mind."
    )


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
            "Before they are known, of a crystal that is stable in truth",
        ),
    ]
    if result.probability_spurious is not None:
        rows.append(
            (
                "Probability that those found are spurious",
                _probability(result.probability_spurious),
                "Afterwards, by their depth and by how soft the model is",
            )
        )
    return (
        "<section>\n<h2>Risk</h2>\n"
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


def _charts(result: PhononResult) -> dict[str, Chart]:
    spectrum, drawn = result.spectrum, {}
    corrected = () if result.corrected is None else tuple(result.corrected.spectra.values())
    if spectrum is not None:
        drawn["bands"] = charts.bands_and_dos(spectrum, corrected)
        drawn["thermal"] = charts.thermal_properties(
            spectrum, len(result.phonon.primitive), corrected
        )
    if result.responses:
        symbols = list(result.phonon.supercell.symbols)
        drawn["responses"] = charts.displacement_responses(symbols, result.responses)
    return drawn


def _bands(result: PhononResult) -> str:
    offered = result.corrected is not None and bool(result.corrected.spectra)
    return chart_section(
        "Band structure and density of states",
        "Solid: frequencies of the model as they are. "
        + ("Dashed: the estimated correction, with its band. " if offered else "")
        + "Imaginary frequencies are drawn below zero.",
        "bands",
    )


def _responses() -> str:
    return chart_section(
        "Response to each displacement",
        "Each bar is one atom moved along one line. r is how far it moves in the Platonic space "
        "per Å; k is the force that drives it back per Å, negative where it is driven further "
        "out. The force share is that of the moved atom in the squared force of all atoms: a low "
        "share announces soft modes.",
        "responses",
    )


def _thermal(result: PhononResult) -> str:
    left_out = result.spectrum is not None and result.spectrum.imaginary
    return chart_section(
        "Thermal properties",
        "Harmonic, at constant volume, per mole of primitive cells. Dotted: the limit of Dulong "
        "and Petit." + (" Imaginary modes are left out." if left_out else ""),
        "thermal",
    )


def _gallery(result: PhononResult) -> Gallery | None:
    """The most imaginary modes as motions; those of too many atoms are left out."""
    if result.spectrum is None:
        return None
    groups, shares = [], []
    for mode in result.spectrum.modes[:MOST_MODES]:
        frames, share = mode_frames(result.phonon, mode)
        if len(frames[0]) > _MOST_ATOMS:
            break
        groups.append(Group(str(mode), frames))
        shares.append(np.tile(share.round(3), len(frames)))
    if not groups:
        return None
    return Gallery(groups, {"share_in_mode": np.concatenate(shares)}, "share_in_mode")


def _modes(result: PhononResult, animated: int) -> str:
    if result.spectrum is None or not result.spectrum.modes:
        return ""
    rows = [
        (
            jump(k, f"{mode.frequency:.2f}") if k < animated else f"{mode.frequency:.2f}",
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
        for k, mode in enumerate(result.spectrum.modes)
    ]
    columns = (("THz", "n"), ("Wave vector", "k"), ("", "k"), ("Atoms of the primitive cell", ""))
    return section("Imaginary modes", table(columns, rows))


def _features(result: PhononResult) -> str:
    if result.features is None:
        return ""
    rows = [
        (f"<code>{escape(name)}</code>", escape(number(value, 4)))
        for name, value in result.features.to_dict().items()
    ]
    return fold("Features that the risk rests on", table((("Name", "k"), ("Value", "n")), rows))
