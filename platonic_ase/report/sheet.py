"""Pages of single results: a verdict first, then sections, charts, and structures to turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from platonic_ase.report.charts import Chart
from platonic_ase.report.html import (
    as_script,
    content_policy,
    environment,
    page_script,
    source_of,
)
from platonic_ase.report.libraries import library
from platonic_ase.report.verdict import Verdict
from platonic_ase.report.viewer import make_dataset

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Group:
    """Structures that belong together: one, or the frames of a motion.

    Attributes
    ----------
    label : str
        What is seen.
    frames : sequence of Atoms
    """

    label: str
    frames: Sequence[Atoms]


@dataclass(frozen=True)
class Gallery:
    """Structures of a page.

    Attributes
    ----------
    groups : sequence of Group
        At least one; the first is shown first.
    properties : mapping of str to ndarray, shape (n_atoms of all frames,)
        What atoms can be coloured by.
    colour : str or None
        What they are coloured by at first.
    """

    groups: Sequence[Group]
    properties: Mapping[str, np.ndarray] = field(default_factory=dict)
    colour: str | None = None


def sheet(
    heading: str,
    verdict: Verdict,
    sections: Sequence[str],
    charts: Mapping[str, Chart] | None = None,
    gallery: Gallery | None = None,
) -> str:
    """Complete HTML document that needs nothing but itself.

    Parameters
    ----------
    heading : str
        Also the title of the page.
    verdict : Verdict
        Its sentence says what happened and what to do.
    sections : sequence of str
        HTML from :mod:`platonic_ase.report.html`; those of charts refer to them by name.
    charts : mapping of str to Chart, optional
    gallery : Gallery, optional
        For the section of :func:`~platonic_ase.report.html.viewer_section`.
    """
    groups, structures = [], None
    if gallery is not None:
        start = 0
        for group in gallery.groups:
            groups.append({"label": group.label, "from": start, "count": len(group.frames)})
            start += len(group.frames)
        frames = [atoms for group in gallery.groups for atoms in group.frames]
        structures = make_dataset(frames, gallery.properties, heading, gallery.colour)
    scene: dict[str, Any] = {"charts": charts or {}, "groups": groups, "chemiscope": structures}
    used = [
        # chemiscope takes over the style of Plotly, which its own map needs
        *(["plotly"] if charts else []),
        *(["chemiscope"] if structures is not None else []),
    ]
    libraries = [library(each) for each in used]
    script = page_script("sheet.js")
    text = (
        environment()
        .get_template("sheet.html")
        .render(
            title=f"platonic_ase: {heading}",
            heading=heading,
            style=Markup(source_of("style.css")),
            policy=content_policy([*(each.text for each in libraries), script]),
            verdict=verdict,
            sections=[Markup(section) for section in sections if section],
            scene=scene,
            json=as_script(scene),
            packed={each.name: Markup(each.packed) for each in libraries},
            script=Markup(script),
        )
    )
    return text + "\n"
