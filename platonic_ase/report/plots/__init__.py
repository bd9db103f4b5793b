"""Figures of a run: data in, matplotlib Figure out, no global state."""

from platonic_ase.report.plots.space import platonic_map
from platonic_ase.report.plots.structure import distance_histogram, structure_views
from platonic_ase.report.plots.timeline import companions, distortion, splitting, traces

__all__ = [
    "companions",
    "distance_histogram",
    "distortion",
    "platonic_map",
    "splitting",
    "structure_views",
    "traces",
]
