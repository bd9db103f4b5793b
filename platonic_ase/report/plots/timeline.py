"""What happened when: distortion, orbit splitting, traces and physical companions of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from platonic_ase.report.plots.panels import Panel, draw_line, stack
from platonic_ase.report.plots.style import ALARM, BLUE, GREEN, GREY, SERIES, styled
from platonic_ase.report.tracks import TrackSeries

# rounding noise below these is drawn on them
_SPLITTING_FLOOR, _ASYMMETRY_FLOOR, _FORCE_FLOOR = 1e-7, 1e-5, 1e-9
_BOUND_FLOOR = 1e-3  # eV/Å


@styled
def distortion(tracks: Sequence[TrackSeries], alarm: float | None = None) -> Figure | None:
    """Extrapolation score, mean manifold distance and force bound over time, with events.

    Parameters
    ----------
    tracks : sequence of TrackSeries
    alarm : float, optional
        Score from which an alarm is raised.

    Returns
    -------
    Figure or None
        None where none was logged.
    """
    panels = [
        Panel("extrapolation_score", "worst distance\n/ threshold", limit=alarm),
        Panel("manifold_distance", "mean manifold\ndistance"),
        Panel(
            "force_error_bound",
            "largest force error\nbound (eV/Å)",
            limit=_limit(tracks, "force_error_bound"),
            floor=_BOUND_FLOOR,
        ),
    ]
    return stack(tracks, panels)


@styled
def splitting(tracks: Sequence[TrackSeries], most: int = 6) -> Figure | None:
    """Orbit splitting over time, structural asymmetry, and the tests of broken symmetry.

    Parameters
    ----------
    tracks : sequence of TrackSeries
    most : int
        Orbits shown by name: those that split most.

    Returns
    -------
    Figure or None
        None where no orbit was watched.
    """

    def by_orbit(ax: Axes) -> None:
        track = tracks[0]
        ranked = sorted(track.orbits, key=lambda name: -_peak(track.orbits[name]))
        for k, name in enumerate(ranked):
            shown = k < most
            draw_line(
                ax,
                track,
                np.maximum(track.orbits[name], _SPLITTING_FLOOR),
                SERIES[k] if shown else GREY,
                label=name if shown else ("others" if k == most else None),
            )

    single = len(tracks) == 1 and bool(tracks[0].orbits)
    panels = [
        Panel(
            "orbit_splitting",
            "orbit splitting\n(rms Δcosine)",
            floor=_SPLITTING_FLOOR,
            draw=by_orbit if single else None,
        ),
        Panel("asymmetry", "structural\nasymmetry (Å)", floor=_ASYMMETRY_FLOOR),
        Panel(
            "asymmetry_curvature",
            "curvature along\nit (eV/Å²)",
            limit=_limit(tracks, "asymmetry_curvature"),
        ),
        Panel(
            "symmetry_evidence",
            "evidence of broken\nsymmetry (10$^x$)",
            limit=_limit(tracks, "symmetry_evidence"),
        ),
        Panel(
            "lindemann_ratio",
            "rms displacement\n/ spacing",
            limit=_limit(tracks, "lindemann_ratio"),
        ),
    ]
    return stack(tracks, panels)


@styled
def traces(tracks: Sequence[TrackSeries]) -> Figure | None:
    """Energy per atom, temperature, volume per atom and energy drift, where logged and changing.

    Parameters
    ----------
    tracks : sequence of TrackSeries

    Returns
    -------
    Figure or None
    """
    panels = [
        Panel("energy", "energy\n(eV/atom)", per_atom=True, wide=True),
        Panel("temperature", "temperature\n(K)", wide=True),
        Panel("volume", "volume\n(Å³/atom)", per_atom=True, hide_constant=True),
        Panel("energy_drift", "energy drift\n(meV/atom/ps)", scale=1e3, wide=True),
    ]
    return stack(tracks, panels)


@styled
def companions(tracks: Sequence[TrackSeries]) -> Figure | None:
    """Draw the forces that must add up to zero, and the closest contact.

    Parameters
    ----------
    tracks : sequence of TrackSeries

    Returns
    -------
    Figure or None
    """
    limits = {name: _limit(tracks, name) for name in ("net_force", "closest_contact")}

    def forces(ax: Axes) -> None:
        track = tracks[0]
        for name, label, colour in (
            ("max_force", "largest on an atom", GREEN),
            ("net_force", "net, per atom", BLUE),
        ):
            draw_line(ax, track, np.maximum(track.column(name), _FORCE_FLOOR), colour, label=label)
        if limits["net_force"] is not None:
            ax.axhline(limits["net_force"], color=ALARM, ls="--", lw=1, label="alarm (net)")

    panels = [
        Panel(
            "net_force",
            "force (eV/Å)" if len(tracks) == 1 else "net force\n(eV/Å per atom)",
            floor=_FORCE_FLOOR,
            limit=limits["net_force"],
            draw=forces if len(tracks) == 1 else None,
        ),
        Panel(
            "closest_contact",
            "closest contact\n/ radii",
            limit=limits["closest_contact"],
        ),
    ]
    return stack(tracks, panels)


def _limit(tracks: Sequence[TrackSeries], name: str) -> float | None:
    return next((v for track in tracks if (v := track.limit(name)) is not None), None)


def _peak(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else -np.inf
