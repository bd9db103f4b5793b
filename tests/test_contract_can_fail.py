"""Each check of the contract fails on a wrapper or an encoder that breaks it."""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator

from platonic_ase import PlatonicCalculator
from platonic_ase.models.embed import embed_one
from platonic_ase.monitor.policy import Policy
from platonic_ase.testing import CALCULATOR_CHECKS, MockCalculator, MockEncoder, mock_anchors
from platonic_ase.testing import calculator as checks
from platonic_ase.testing import encoder as encoder_checks
from platonic_ase.testing import events as event_checks
from platonic_ase.testing.calculator import runs as run_checks


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


class Patient(PlatonicCalculator):
    pass


class LateCopy(Patient):
    def calculate(self, atoms=None, properties=None, system_changes=()):
        self.calculator.calculate(atoms, ["forces", "stress"], system_changes)
        super().calculate(atoms, properties, system_changes)


class Twice(Patient):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.calculator.calculate(args[0], ["energy"], ["positions"])


class Rounded(Patient):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["forces"] = self.results["forces"].astype(np.float32).astype(float)


class Aliased(Patient):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["forces"] = self.calculator.results["forces"]


class Deaf(Patient):
    def check_state(self, atoms, tol=1e-15):
        return Calculator.check_state(self, atoms, tol)


class Chatty(Patient):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["embeddings"] = self.embeddings


class Boastful(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.implemented_properties = [*self.implemented_properties, "polarizability"]


class SharedList(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.implemented_properties = self.calculator.implemented_properties


class CountsCalls(Patient):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        for _, track in self.watch._tracks.values():
            track._seen.clear()


class OneHistory(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        everything = []
        track = self.watch.track

        def shared(owner):
            everything.append(owner)
            return track(everything[0])

        self.watch.track = shared


class ObjectsInDict(Patient):
    def todict(self, skip_default=True):
        return {**super().todict(), "anchors": self.anchors.embeddings}


class NoDict(Patient):
    def todict(self, skip_default=True):
        raise TypeError("cannot be described")


class Unpicklable(Patient):
    def __getstate__(self):
        raise TypeError("cannot be copied")


class Closed(Patient):
    def __getattr__(self, name):
        raise AttributeError(name)


class Hoarder(Patient):
    hoard = None

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.hoard = [self.hoard, self.atoms]


class Trusting(Patient):
    def _give_up(self, error):
        pass


class KeepsResults(Patient):
    def reset(self):
        self.atoms = None


class Unstoppable(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.policy.act = Policy("ignore").act


class Nervous(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "gate": None})
        self.watch.gate.cooldown = 0
        self.watch.gate.clear = 1


class Fragile(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

        def raise_again(diagnostic, error):
            raise error

        self.watch._switch_off = raise_again


class Constrained(Patient):
    def _diagnose(self, owner, capture):
        results = self.results
        self.results = {**results, "forces": results["forces"].copy()}
        for constraint in owner.constraints:
            constraint.adjust_forces(owner, self.results["forces"])
        super()._diagnose(owner, capture)
        self.results = results


class Often(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "interval": 1})


class AllOrNothing(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

        def end(diagnostic, error):
            self.session.observing = False

        self.watch._switch_off = end


class OneRun(Patient):
    def close(self):
        pass


class Overhearing(MockEncoder):
    @contextmanager
    def capture(self):
        with super().capture() as capture, self.listen(capture._received.append):
            yield capture


class Nosy(Patient):
    def __init__(self, inner, **kwargs):
        super().__init__(inner, **kwargs, encoder=Overhearing(inner))


class Unbound(Patient):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for each in self.watch.diagnostics:
            each.start = lambda atoms, start=each.start: start(Atoms(
                atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))  # fmt: skip


class Keeping(Patient):
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


@pytest.mark.parametrize(
    ("check", "patient"),
    [
        (run_checks.check_what_no_log_can_hold_switches_off_one_diagnostic, AllOrNothing),
        (run_checks.check_each_run_is_logged_by_itself, OneRun),
        (run_checks.check_threads_see_only_their_own_captures, Nosy),
        (run_checks.check_constraints_belong_to_the_symmetry, Unbound),
        (run_checks.check_writing_reaches_what_reading_reads, Keeping),
        (checks.check_atoms_are_copied_first, LateCopy),
        (checks.check_one_forward_per_geometry, Twice),
        (checks.check_results_are_bit_identical, Rounded),
        (checks.check_results_are_copies, Aliased),
        (checks.check_inner_state_is_asked, Deaf),
        (checks.check_only_registered_results, Chatty),
        (checks.check_implemented_properties_are_own, Boastful),
        (checks.check_implemented_properties_are_own, SharedList),
        (checks.check_line_search_keeps_history, CountsCalls),
        (checks.check_finite_displacements, CountsCalls),
        (checks.check_images_have_own_histories, OneHistory),
        (checks.check_interval_counts_geometries, Often),
        (checks.check_todict_is_json, ObjectsInDict),
        (checks.check_files_can_be_written, NoDict),
        (checks.check_copies_work, Unpicklable),
        (checks.check_attributes_reach_the_inner_calculator, Closed),
        (checks.check_forces_are_raw, Constrained),
        (checks.check_nothing_is_kept_alive, Hoarder),
        (checks.check_unobservable_models_are_refused, Trusting),
        (event_checks.check_raise_never_returns_the_cached_value, Unstoppable),
        (event_checks.check_raise_never_returns_the_cached_value, KeepsResults),
        (event_checks.check_stop_refuses_the_next_geometry, Unstoppable),
        (event_checks.check_stop_ends_an_attached_run, Unstoppable),
        (event_checks.check_callables_are_given_the_event, Unstoppable),
        (event_checks.check_hysteresis_and_rate_limit, Nervous),
        (event_checks.check_events_are_logged_each_time, Unstoppable),
        (event_checks.check_failing_diagnostics_are_switched_off, Fragile),
        (event_checks.check_failing_captures_do_not_stop_a_run, Trusting),
    ],
    ids=lambda thing: thing.__name__,
)
def test_a_broken_wrapper_is_found(check, patient):
    def make(**options):
        inner = MockCalculator()
        return patient(
            inner,
            anchors=mock_anchors(MockEncoder(inner)),
            reference=None,
            **{"on_warning": "ignore", **options},
        )

    with pytest.raises((AssertionError, AttributeError, RuntimeError, TypeError)):
        check(make, salt)


class Shuffled(MockEncoder):
    def listen(self, receive):
        return super().listen(lambda array: receive(array.flip(0)))


class Doubled(MockEncoder):
    def listen(self, receive):
        return super().listen(lambda array: [receive(array), receive(array)])


class Narrow(MockEncoder):
    width = 5


class Blind(MockEncoder):
    def listen(self, receive):
        return super().listen(lambda array: receive(array * 0 + 1))


class Directed(MockEncoder):
    def listen(self, receive):
        return super().listen(
            lambda array: receive(array * (1 + abs(self.calculator.atoms.cell.array[0, 0])))
        )


class Placed(MockEncoder):
    def listen(self, receive):
        return super().listen(
            lambda array: receive(array * (1 + self.calculator.atoms.positions[:, :1].mean()))
        )


class Clinging(MockEncoder):
    @contextmanager
    def listen(self, receive):
        self.kept = super().listen(receive)
        self.kept.__enter__()
        yield


class Reversed(MockEncoder):
    """Hands out the structures of a batch in the wrong order."""

    batches = True

    @contextmanager
    def listen(self, receive):
        self.receive = receive
        with super().listen(receive):
            yield

    def run_batch(self, structures):
        inside = MockEncoder(MockCalculator())
        rows = [embed_one(inside, atoms) for atoms in structures]
        self.receive(np.concatenate(rows[::-1]))


class Swapping(Reversed):
    """Batches in the right order, but with the energy of another structure."""

    evaluates_batches = True

    def run_batch(self, structures):
        super().run_batch(structures[::-1])

    def evaluate_batch(self, structures):
        calculator = MockCalculator()
        found = []
        for atoms in structures:
            calculator.calculate(atoms, ["energy"])
            found.append({k: np.array(v) for k, v in calculator.results.items()})
        for one, other in zip(found, found[::-1], strict=True):
            one["energy"] = other["energy"]
        return found


class Forgetful(MockEncoder):
    fingerprint = "always the same"


class Random(MockEncoder):
    @property
    def fingerprint(self):
        return str(np.random.default_rng().integers(10**9))


class Ignorant(MockEncoder):
    elements = frozenset({1})


class Changing(MockEncoder):
    def listen(self, receive):
        self.calculator.model.plant.size += 1e-3
        return super().listen(receive)

    @contextmanager
    def capture(self):
        before = copy.copy(self.calculator._evaluate)
        self.calculator._evaluate = lambda atoms: {
            name: value + 1e-9 for name, value in before(atoms).items()
        }
        try:
            with super().capture() as capture:
                yield capture
        finally:
            del self.calculator._evaluate


class Attached(MockEncoder):
    @contextmanager
    def capture(self):
        with super().capture() as capture:
            capture.receive = None
            capture.take = lambda n_atoms: self.kept
            handle = self.calculator.model.plant.register_forward_hook(
                lambda module, args, output: setattr(self, "kept", output)
            )
            yield capture
            handle.remove()


@pytest.mark.parametrize(
    ("check", "patient"),
    [
        (encoder_checks.check_one_capture_per_geometry, Doubled),
        (encoder_checks.check_shape_and_dtype, Narrow),
        (encoder_checks.check_embeddings_see_the_geometry, Blind),
        (encoder_checks.check_captures_are_detached, Attached),
        (encoder_checks.check_rows_follow_the_atoms, Shuffled),
        (encoder_checks.check_translation_invariance, Placed),
        (encoder_checks.check_rotation_invariance, Directed),
        (encoder_checks.check_listening_changes_nothing, Changing),
        (encoder_checks.check_hooks_are_removed, Clinging),
        (encoder_checks.check_batches_are_the_structures_one_by_one, Reversed),
        (encoder_checks.check_batches_are_the_structures_one_by_one, Swapping),
        (encoder_checks.check_identity_is_stable, Random),
        (encoder_checks.check_elements_hold_the_structure, Ignorant),
        (encoder_checks.check_fingerprint_follows_the_weights, Forgetful),
    ],
    ids=lambda thing: thing.__name__,
)
def test_a_broken_encoder_is_found(check, patient):
    with pytest.raises(AssertionError):
        check(lambda: patient(MockCalculator()), salt)


def test_a_stated_rotation_error_has_to_be_there():
    traits = encoder_checks.EncoderTraits(rotation_error=0.02)
    with pytest.raises(AssertionError, match=r"0\.02 was stated"):
        encoder_checks.check_rotation_invariance(
            lambda: MockEncoder(MockCalculator()), salt, traits
        )


def test_every_check_is_shown_to_fail():
    marks = [
        *test_a_broken_wrapper_is_found.pytestmark,
        *test_a_broken_encoder_is_found.pytestmark,
    ]
    shown = {check for mark in marks for check, _ in mark.args[1]}
    spared = {checks.check_model_is_found_in_sums, encoder_checks.check_layers_can_be_chosen}
    assert shown == {*CALCULATOR_CHECKS, *encoder_checks.ENCODER_CHECKS} - spared
