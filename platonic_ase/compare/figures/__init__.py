"""Figures of a comparison: matplotlib Figure objects, vector formats, colours for all eyes."""

from platonic_ase.compare.figures.gallery import draw_all, save_all

__all__ = ["draw_all", "save_all"]
