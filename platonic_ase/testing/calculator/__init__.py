"""The contract of a wrapped calculator: same numbers, one forward pass, nothing left behind.

Each check takes a function that wraps a calculator, handing its keywords on to
:class:`~platonic_ase.PlatonicCalculator`, and a function that makes a periodic structure of a few
atoms that the model can evaluate::

    def make(**options):
        return PlatonicCalculator(MyCalculator(), anchors=anchors, reference=None, **options)

    @pytest.mark.parametrize("check", CALCULATOR_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(make, lambda: bulk("NaCl", "rocksalt", a=5.6, cubic=True))

The inner calculator may be shared between calls: its model need be loaded only once.
"""

from __future__ import annotations

from platonic_ase.testing.calculator.exchange import (
    check_attributes_reach_the_inner_calculator,
    check_copies_work,
    check_files_can_be_written,
    check_model_is_found_in_sums,
    check_todict_is_json,
)
from platonic_ase.testing.calculator.histories import (
    check_finite_displacements,
    check_images_have_own_histories,
    check_interval_counts_geometries,
    check_line_search_keeps_history,
)
from platonic_ase.testing.calculator.observation import (
    check_nothing_is_kept_alive,
    check_unobservable_models_are_refused,
)
from platonic_ase.testing.calculator.results import (
    check_atoms_are_copied_first,
    check_forces_are_raw,
    check_implemented_properties_are_own,
    check_inner_state_is_asked,
    check_one_forward_per_geometry,
    check_only_registered_results,
    check_results_are_bit_identical,
    check_results_are_copies,
)
from platonic_ase.testing.calculator.tools import MakeAtoms, MakeCalculator, rattled

STATE_CHECKS = (
    check_atoms_are_copied_first,
    check_one_forward_per_geometry,
    check_results_are_bit_identical,
    check_results_are_copies,
    check_inner_state_is_asked,
    check_only_registered_results,
    check_implemented_properties_are_own,
    check_line_search_keeps_history,
    check_images_have_own_histories,
    check_finite_displacements,
    check_interval_counts_geometries,
    check_todict_is_json,
    check_files_can_be_written,
    check_copies_work,
    check_attributes_reach_the_inner_calculator,
    check_model_is_found_in_sums,
    check_forces_are_raw,
    check_nothing_is_kept_alive,
    check_unobservable_models_are_refused,
)
"""Checks of what the calculator does with a geometry; those of events are in testing.events."""

__all__ = [
    "STATE_CHECKS",
    "MakeAtoms",
    "MakeCalculator",
    "check_atoms_are_copied_first",
    "check_attributes_reach_the_inner_calculator",
    "check_copies_work",
    "check_files_can_be_written",
    "check_finite_displacements",
    "check_forces_are_raw",
    "check_images_have_own_histories",
    "check_implemented_properties_are_own",
    "check_inner_state_is_asked",
    "check_interval_counts_geometries",
    "check_line_search_keeps_history",
    "check_model_is_found_in_sums",
    "check_nothing_is_kept_alive",
    "check_one_forward_per_geometry",
    "check_only_registered_results",
    "check_results_are_bit_identical",
    "check_results_are_copies",
    "check_todict_is_json",
    "check_unobservable_models_are_refused",
    "rattled",
]
