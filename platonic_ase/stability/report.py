"""One self-contained HTML page of a symmetry forecast."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from platonic_ase.report.html import facts, figure, number, page, table
from platonic_ase.report.plots.style import to_svg
from platonic_ase.stability.figures import calibration_curve, ways_out

if TYPE_CHECKING:
    from platonic_ase.phonons.breaking import SymmetryRisk

_SCOPE = (
    "The forecast is of this model, in this supercell: whether the structure would keep its space "
    "group when rattled and relaxed. It says nothing of whether the model is right, of elastic "
    "instabilities, or of wave vectors that the supercell does not hold."
)


def render_forecast(record: Mapping[str, Any], risk: SymmetryRisk | None = None) -> str:
    """HTML text of the report.

    Parameters
    ----------
    record : mapping
        ``ForecastResult.to_dict()``.
    risk : SymmetryRisk, optional
        The calibration that was used, for its curve.
    """
    settings, relaxation = record["settings"], record["relaxation"]
    repeats = " × ".join(map(str, settings["supercell"]))
    body = [
        f"<header>\n<h1>Symmetry forecast of {escape(record['formula'])}</h1>",
        facts(
            {
                "Model": settings["model"],
                "Space group": record["space_group"],
                "Supercell": f"{repeats}, {settings['supercell_atoms']} atoms",
                "Displacements": f"{settings['displacement_A']:g} Å of single atoms, then "
                f"{settings['amplitude_A']:g} Å along soft modes",
                "Residual force": f"{number(relaxation['max_force'], 2)} eV/Å",
                "Calibration": record["calibration"],
                "platonic_ase": settings["platonic_ase"],
            }
        ),
        "</header>",
        _verdict(record),
    ]
    directions = record["directions"]
    if directions:
        body.append(
            figure(
                "Ways out of the symmetry",
                "Each row is one displacement field of high symmetry within the softest modes of "
                "the supercell, with the space group that it leaves and the elements that move "
                "(share of the squared displacement). Left of zero the energy falls. Linear up "
                "to 0.2 eV/Å², logarithmic beyond.",
                to_svg(ways_out(directions, settings["amplitude_A"]), "ways"),
            )
        )
        body.append(_table(directions))
        if risk is not None:
            body.append(
                figure(
                    "Where this crystal stands",
                    f"The calibration ({risk.name}) and the crystals it was fitted to.",
                    to_svg(calibration_curve(risk, directions[0]["curvature"]), "curve"),
                )
            )
    return page(f"platonic_ase: symmetry forecast of {record['formula']}", body)


def _verdict(record: Mapping[str, Any]) -> str:
    probability = record["probability_of_breaking"]
    way = record["directions"][0] if record["directions"] else None
    if probability is None:
        kind, title = "unknown", "Uncalibrated"
        remarks = ["There is no calibration for this model: below are the physical numbers only."]
    elif probability >= record["threshold"]:
        kind, title = "alarm", f"Breaks: probability {probability:.2f}"
        remarks = []
    else:
        kind, title = "quiet", f"Keeps {record['space_group']}: probability {1 - probability:.2f}"
        remarks = []
    if way is not None:
        remarks.append(
            f"Along the softest way out the curvature is {number(way['curvature'], 2)} eV/Å² and "
            f"the energy changes by {number(way['energy'], 2)} meV per atom; {way['orbit']}, "
            f"towards {way['subgroup'] or 'a larger cell'}."
        )
    if record["unheld"]:
        remarks.append(f"Not seen: {record['unheld']}.")
    text = "".join(f"<p>{escape(remark)}</p>" for remark in (*remarks, _SCOPE))
    return f'<div class="verdict {kind}"><strong>{escape(title)}</strong>{text}</div>'


def _table(directions: list[Mapping[str, Any]]) -> str:
    columns = (
        ("towards", "k"),
        ("splits, or moves most", ""),
        ("harmonic eV/Å²", "n"),
        ("followed eV/Å²", "n"),
        ("energy meV/atom", "n"),
    )
    rows = [
        (
            escape(way["subgroup"] or "larger cell"),
            escape(way["orbit"]),
            number(way["eigenvalue"], 3),
            number(way["curvature"], 3),
            number(way["energy"], 3),
        )
        for way in directions
    ]
    return table(columns, rows)
