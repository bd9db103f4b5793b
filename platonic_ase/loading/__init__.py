"""Calculators by name: ``load_calculator("chgnet-0.3.0")``, through each package's own loader."""

from platonic_ase.loading.load import load_calculator
from platonic_ase.loading.names import MODELS, ModelEntry, find_entry
from platonic_ase.loading.table import ModelRow, format_models_table, installed_models

__all__ = [
    "MODELS",
    "ModelEntry",
    "ModelRow",
    "find_entry",
    "format_models_table",
    "installed_models",
    "load_calculator",
]
