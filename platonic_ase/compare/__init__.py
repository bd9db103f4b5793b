"""The cross-model laboratory: do two models arrange the same atoms in the same way?

>>> views = make_views({"a": e_a, "b": e_b}, {"a": anchors_a, "b": anchors_b})  # doctest: +SKIP
>>> comparison = compare(views)                                                 # doctest: +SKIP
"""

from platonic_ase.compare.alignment import align
from platonic_ase.compare.catalogue import Catalogue, describe
from platonic_ase.compare.comparison import Comparison, compare
from platonic_ase.compare.embedding import embed_to_file
from platonic_ase.compare.run import compare_models
from platonic_ase.compare.views import Views, make_views

__all__ = [
    "Catalogue",
    "Comparison",
    "Views",
    "align",
    "compare",
    "compare_models",
    "describe",
    "embed_to_file",
    "make_views",
]
