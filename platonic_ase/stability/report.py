"""One self-contained HTML page of a symmetry forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.report.charts import Chart
from platonic_ase.report.html import (
    chart_section,
    facts,
    jump,
    number,
    section,
    table,
    viewer_section,
)
from platonic_ase.report.sheet import Gallery, Group, sheet
from platonic_ase.report.verdict import Verdict
from platonic_ase.stability.charts import calibration_curve, label, ways_out

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.phonons.breaking import SymmetryRisk

FRAMES = 12
_SEEN = 0.5  # Å: the largest displacement that is drawn
_MOST_FRAMES = 20_000  # atoms of all frames together
_SCOPE = (
    "The forecast is of this model, in this supercell: whether the structure would keep its space "
    "group when rattled and relaxed. It says nothing of whether the model is right, of elastic "
    "instabilities, or of wave vectors that the supercell does not hold."
)


def render_forecast(
    record: Mapping[str, Any],
    risk: SymmetryRisk | None = None,
    supercell: Atoms | None = None,
    displacements: Sequence[np.ndarray] = (),
) -> str:
    """HTML text of the report.

    Parameters
    ----------
    record : mapping
        ``ForecastResult.to_dict()``.
    risk : SymmetryRisk, optional
        The calibration that was used, for its curve.
    supercell : Atoms, optional
        At rest.
    displacements : sequence of ndarray, shape (n_atoms, 3)
        Along each direction, Å.
    """
    directions = record["directions"]
    gallery = None if supercell is None else _gallery(supercell, directions, displacements)
    charts: dict[str, Chart] = {}
    sections = []
    if directions:
        charts["ways"] = ways_out(directions, record["settings"]["amplitude_A"])
        sections.append(
            chart_section(
                "Ways out of the symmetry",
                "Each row is one displacement field of high symmetry within the softest modes of "
                "the supercell, with the space group that it leaves and the elements that move "
                "(share of the squared displacement). Left of zero the energy falls. The axis is "
                "logarithmic beyond 0.1 eV/Å².",
                "ways",
            )
        )
        sections.append(_table(directions, 0 if gallery is None else len(gallery.groups)))
        if gallery is not None:
            sections.append(
                viewer_section(
                    "The ways out as motions",
                    f"Drawn with a largest displacement of {_SEEN:g} Å, there and back. Atoms are "
                    "coloured by their share of the squared displacement. Click on a row of the "
                    "table or a point above to see another way.",
                    moving=True,
                )
            )
        if risk is not None:
            charts["curve"] = calibration_curve(risk, directions[0]["curvature"])
            sections.append(
                chart_section(
                    "Where this crystal stands",
                    f"The calibration ({risk.name}) and the crystals it was fitted to. Above the "
                    "dashed line a warning is raised.",
                    "curve",
                )
            )
    sections.append(section("The forecast", _about(record)))
    heading = f"Symmetry forecast of {record['formula']}"
    return sheet(heading, _verdict(record), sections, charts, gallery)


def _about(record: Mapping[str, Any]) -> str:
    settings, relaxation = record["settings"], record["relaxation"]
    return facts(
        {
            "Model": settings["model"],
            "Space group": record["space_group"],
            "Supercell": f"{' × '.join(map(str, settings['supercell']))}, "
            f"{settings['supercell_atoms']} atoms",
            "Displacements": f"{settings['displacement_A']:g} Å of single atoms, then "
            f"{settings['amplitude_A']:g} Å along soft modes",
            "Residual force": f"{number(relaxation['max_force'], 2)} eV/Å",
            "Calibration": record["calibration"],
            "platonic_ase": settings["platonic_ase"],
        }
    )


def _gallery(
    rest: Atoms, directions: Sequence[Mapping[str, Any]], displacements: Sequence[np.ndarray]
) -> Gallery | None:
    groups: list[Group] = []
    shares: list[np.ndarray] = []
    for way, field in zip(directions, displacements, strict=False):
        if (len(groups) + 1) * FRAMES * len(rest) > _MOST_FRAMES:
            break
        lengths = np.sqrt((field**2).sum(axis=1))
        frames = []
        for k in range(FRAMES):
            frame = rest.copy()
            frame.calc = None
            frame.positions += np.cos(2 * np.pi * k / FRAMES) * _SEEN / lengths.max() * field
            frames.append(frame)
        groups.append(Group(f"Towards {label(way)}", frames))
        shares.append(np.tile((lengths**2 / (lengths**2).sum()).round(3), FRAMES))
    if not groups:
        return None
    return Gallery(groups, {"share_of_motion": np.concatenate(shares)}, "share_of_motion")


def _verdict(record: Mapping[str, Any]) -> Verdict:
    probability = record["probability_of_breaking"]
    way = record["directions"][0] if record["directions"] else None
    towards = "" if way is None else way["subgroup"] or "a larger cell"
    if probability is None:
        kind, title = "unknown", "Uncalibrated"
        sentence = (
            "There is no calibration for this model: below are the physical numbers only; relax a "
            "rattled copy to see whether it keeps its symmetry."
        )
    elif probability >= record["threshold"]:
        kind, title = "alarm", f"Breaks: probability {probability:.2f}"
        sentence = (
            f"With this model the structure does not rest at {record['space_group']}: rattle and "
            f"relax it without symmetry to find where it goes (towards {towards} first), and check "
            "with DFT which of the two is lower."
        )
    else:
        kind, title = "quiet", f"Keeps {record['space_group']}: probability {1 - probability:.2f}"
        sentence = "The symmetric structure is at rest with this model: nothing to do."
    remarks = []
    if way is not None:
        remarks.append(
            f"Along the softest way out the curvature is {number(way['curvature'], 2)} eV/Å² and "
            f"the energy changes by {number(way['energy'], 2)} meV per atom; {way['orbit']}, "
            f"towards {towards}."
        )
    judged = record["judgement"]
    if judged is not None and judged["universal"]:
        remarks.append(
            "This model has no calibration of its own: the probability is the universal one, "
            "fitted to relaxations by several models and widened by the spread between them."
        )
    if record["unheld"]:
        remarks.append(f"Not seen: {record['unheld']}.")
    return Verdict(kind, title, sentence, [*remarks, _SCOPE])


def _table(directions: Sequence[Mapping[str, Any]], animated: int) -> str:
    columns = (
        ("towards", "k"),
        ("splits, or moves most", ""),
        ("harmonic eV/Å²", "n"),
        ("followed eV/Å²", "n"),
        ("energy meV/atom", "n"),
    )
    rows = [
        (
            jump(k, way["subgroup"] or "larger cell")
            if k < animated
            else escape(way["subgroup"] or "larger cell"),
            escape(way["orbit"]),
            number(way["eigenvalue"], 3),
            number(way["curvature"], 3),
            number(way["energy"], 3),
        )
        for k, way in enumerate(directions)
    ]
    return table(columns, rows)
