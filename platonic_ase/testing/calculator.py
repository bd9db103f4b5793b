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

import copy
import gc
import itertools
import json
import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.calculators.mixing import SumCalculator
from ase.constraints import FixAtoms
from ase.outputs import all_outputs

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.encoders import Encoder
from platonic_ase.errors import CaptureError
from platonic_ase.testing.probes import FrameKeeper

MakeCalculator = Callable[..., PlatonicCalculator]
MakeAtoms = Callable[[], Atoms]


def check_atoms_are_copied_first(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Copy the atoms before the inner calculation, so that a later change is seen."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    seen: list[np.ndarray] = []
    with replaced(calc.calculator, "calculate", _before(lambda: seen.append(_positions(calc)))):
        energy = atoms.get_potential_energy()
        assert calc.atoms is not atoms, "the calculator holds the user's atoms, not a copy"
        atoms.positions[0, 0] += 0.1
        moved = atoms.get_potential_energy()
    assert len(seen) == 2, f"{len(seen)} calculations for two geometries"
    assert np.array_equal(seen[1], atoms.positions), "atoms are copied after the calculation"
    assert energy != moved, "the energy of the first geometry is returned for the second"


def check_one_forward_per_geometry(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Run the model once per geometry, whatever is asked and in whatever order."""
    calc, atoms = make(), make_atoms()
    atoms.calc = calc
    delivered = Bare(make)(atoms)
    names = [name for name in _claimed(calc) if name in delivered]
    for seed, order in enumerate(itertools.permutations(names)):
        atoms.positions = rattled(make_atoms(), seed=seed).positions
        with forwards(calc.encoder) as count:
            for name in (*order, *order):
                calc.get_property(name, atoms)
            atoms.get_potential_energy()
            atoms.get_forces()
        assert len(count) == calc.encoder.captures_per_forward, (
            f"{len(count)} forward passes for {', '.join(order)} of one geometry"
        )


def check_results_are_bit_identical(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Return the inner calculator's numbers to the last bit, in whatever order asked."""
    calc, bare = make(), Bare(make)
    delivered = bare(make_atoms())
    calc.get_property("energy", make_atoms())
    names = [name for name in _claimed(calc) if name in delivered]
    for seed, order in enumerate(itertools.permutations(names)):
        atoms = rattled(make_atoms(), seed=seed)
        expected = bare(atoms)
        for name in order:
            value = calc.get_property(name, atoms)
            assert np.array_equal(value, expected[name]), f"{name} differs, asked in {order}"
            assert np.asarray(value).dtype == expected[name].dtype, f"{name} has another type"
        for name in expected.keys() & all_outputs.keys():
            assert name in calc.results, f"the inner calculator has {name}, the results lack it"
            assert np.array_equal(calc.results[name], expected[name]), f"{name} differs"


def check_results_are_copies(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Hand out arrays that a caller may change without changing what is remembered."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    before = atoms.get_forces().copy()
    atoms.get_forces()[:] += 1.0
    assert np.array_equal(atoms.get_forces(), before), "returned forces are the remembered ones"
    calc.calculator.results["forces"][:] += 1.0
    assert np.array_equal(atoms.get_forces(), before), "results are the inner calculator's arrays"


def check_inner_state_is_asked(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Recalculate when the inner calculator reports a change of its own, such as a charge."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    inner = calc.calculator
    changed: list[str] = []
    own = inner.check_state
    with replaced(inner, "check_state", lambda *args, **kwargs: [*own(*args, **kwargs), *changed]):
        with forwards(calc.encoder) as count:
            atoms.get_potential_energy()
            atoms.get_potential_energy()
        assert len(count) == calc.encoder.captures_per_forward, "an unchanged state is not cached"
        changed.append("charge")
        assert "charge" in calc.check_state(atoms), "check_state does not ask the inner calculator"
        with forwards(calc.encoder) as count:
            atoms.get_potential_energy()
        assert count, "a change that only the inner calculator sees returns stale results"


def check_only_registered_results(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Keep to names that ASE knows, and leave the structure as it was."""
    calc, atoms = make(), rattled(make_atoms())
    before = atoms.copy()
    atoms.calc = calc
    atoms.get_forces()
    unknown = set(calc.results) - set(all_outputs)
    assert not unknown, f"results hold names that ASE does not know: {sorted(unknown)}"
    assert atoms.info == before.info, "atoms.info was changed"
    assert set(atoms.arrays) == set(before.arrays), "arrays of the structure were added"
    assert atoms == before, "the structure was changed"


def check_implemented_properties_are_own(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Claim, in a list of its own, no more than the inner calculator can do."""
    calc, other = make(), make()
    claimed, inner = calc.implemented_properties, calc.calculator.implemented_properties
    assert claimed is not inner, "the list of the inner calculator is shared"
    assert claimed is not other.implemented_properties, "instances share one list"
    assert set(claimed) <= set(inner), f"claimed but lacking: {set(claimed) - set(inner)}"
    lacking = set(inner) & set(all_outputs) - set(claimed)
    assert not lacking, f"the inner calculator can do {lacking}"
    assert set(claimed) <= set(all_outputs), "properties are claimed that results cannot hold"
    impossible = next(name for name in ("polarizability", "dielectric_tensor") if name not in inner)
    try:
        calc.get_property(impossible, rattled(make_atoms()))
    except PropertyNotImplementedError:
        return
    raise AssertionError(f"{impossible} is returned although the inner calculator lacks it")


def check_line_search_keeps_history(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Know a geometry that comes back: an optimiser that steps back and tries again."""
    keeper = FrameKeeper()
    calc, atoms = make(diagnostics=[keeper]), make_atoms()
    atoms.calc = calc
    places = [rattled(make_atoms(), seed=seed).positions for seed in range(3)]
    for place in (0, 1, 0, 2, 1):
        atoms.positions = places[place]
        atoms.get_potential_energy()
        atoms.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 1, 0, 2, 1], "indices count calls"
    assert [frame.revisited for frame in keeper.frames] == [False, False, True, False, True]


def check_images_have_own_histories(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Follow each Atoms object that shares the calculator, as images of a NEB, by itself."""
    keeper = FrameKeeper()
    calc, bare = make(diagnostics=[keeper]), Bare(make)
    images = [rattled(make_atoms(), seed=seed) for seed in range(3)]
    tracks = []
    for step in range(3):
        for image in images:
            image.calc = calc
            image.positions += 0.01 * step
            forces = image.get_forces()
            assert calc.diagnosis is not None
            assert calc.diagnosis.index == step, f"index {calc.diagnosis.index} at step {step}"
            assert np.array_equal(forces, bare(image)["forces"]), "forces of another image"
            tracks.append(calc.diagnosis.track)
    assert tracks == [0, 1, 2] * 3, f"histories are mixed: {tracks}"


def check_finite_displacements(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Compare displaced geometries with the undisplaced one, in place or in fresh copies."""
    keeper = FrameKeeper()
    calc, atoms = make(diagnostics=[keeper]), make_atoms()
    atoms.calc = calc
    atoms.get_forces()
    start = atoms.positions.copy()
    for sign in (1, -1):
        atoms.positions[0, 2] += 0.03 * sign
        atoms.get_forces()
        atoms.positions = start
        atoms.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 1, 0, 2, 0]
    for seed in range(2):
        fresh = rattled(make_atoms(), seed=seed)
        fresh.calc = calc
        fresh.get_forces()
        assert keeper.frames[-1].index == 0, "a new structure goes on with another one's history"


def check_interval_counts_geometries(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Diagnose every n-th new geometry of each structure, not every n-th call."""
    keeper = FrameKeeper()
    calc = make(diagnostics=[keeper], interval=2)
    images = [rattled(make_atoms(), seed=seed) for seed in range(2)]
    for _ in range(5):
        for image in images:
            image.calc = calc
            image.positions[0, 0] += 0.01
            image.get_potential_energy()
            image.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 0, 2, 2, 4, 4], "interval counts calls"


def check_todict_is_json(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Describe the calculator in JSON, without arrays or objects."""
    calc, atoms = make(), rattled(make_atoms())
    described = json.loads(json.dumps(calc.todict()))
    assert described["encoder"] == calc.encoder.name
    atoms.calc = calc
    atoms.get_forces()
    assert json.loads(json.dumps(calc.todict())) == described, "a calculation changes todict()"


def check_files_can_be_written(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Write and read .traj, .db and extxyz with the results."""
    calc, bare, atoms = make(), make().calculator, rattled(make_atoms())
    energy, forces = calc.get_potential_energy(atoms), calc.get_forces(atoms)
    for kind in ("traj", "extxyz", "db"):
        found: list[Any] = []
        for calculator in (bare, calc):
            atoms.calc = calculator
            atoms.get_forces()
            try:
                copied = _written_and_read(atoms, kind)
                found.append((copied.get_potential_energy(), copied.get_forces()))
            except Exception as error:
                found.append(error)
        if isinstance(found[0], Exception) or found[0][1].shape != forces.shape:
            continue  # nor does it work with the bare calculator: ASE's .db garbles float32
        if isinstance(found[1], Exception):
            raise AssertionError(f"{kind} cannot be written or read back") from found[1]
        assert np.isclose(found[1][0], energy, rtol=0, atol=1e-6), f"energy of {kind}"
        assert np.allclose(found[1][1], forces, rtol=0, atol=1e-6), f"forces of {kind}"


def check_copies_work(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Copy, deep-copy and pickle, where the inner calculator can; the copies are independent."""
    calc, bare, atoms = make(), Bare(make), rattled(make_atoms())
    atoms.calc = calc
    forces = atoms.get_forces()
    bare(atoms)
    moved = rattled(atoms, seed=5)
    expected = bare(moved)["forces"]
    evaluated = calc.summary().evaluated
    ways: tuple[Callable[[Any], Any], ...] = (
        copy.copy,
        copy.deepcopy,
        lambda thing: pickle.loads(pickle.dumps(thing)),
    )
    for way in ways:
        try:
            way(calc.calculator)
        except Exception:
            continue  # nor can the bare calculator
        other = way(calc)
        assert np.array_equal(other.results["forces"], forces), "a copy forgets its results"
        assert np.array_equal(other.get_forces(moved), expected), "a copy gives other forces"
        assert other.diagnosis is not None
        assert other.summary().evaluated == 1, "a copy goes on with the original's history"
        assert calc.summary().evaluated == evaluated, "a copy's calculations count here"
        assert other.implemented_properties is not calc.implemented_properties
        other.close()
    assert np.array_equal(calc.get_forces(atoms), forces)


def check_attributes_reach_the_inner_calculator(
    make: MakeCalculator, make_atoms: MakeAtoms
) -> None:
    """Find unknown attributes, ``set_atoms`` and ``set`` in the inner calculator."""
    calc = make()
    inner = calc.calculator
    told: list[Any] = []
    with replaced(inner, "set_atoms", told.append), replaced(inner, "some_setting", 42):
        assert calc.some_setting == 42, "an attribute of the inner calculator is not found"
        atoms = make_atoms()
        atoms.calc = calc
        assert told == [atoms], "set_atoms does not reach the inner calculator"
    assert not hasattr(calc, "no_such_attribute"), "an attribute that nobody has is found"
    if hasattr(inner, "set"):
        with replaced(inner, "set", _told(told)):
            atoms.get_potential_energy()
            calc.set(some_parameter=1)
        assert told[-1] == {"some_parameter": 1}, "set() does not reach the inner calculator"
        assert not calc.results, "results of the old parameters are kept"


def check_model_is_found_in_sums(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Find the model inside a ``SumCalculator``, as with a dispersion correction."""
    first = make()
    zero = _Zero()
    zero.implemented_properties = list(first.calculator.implemented_properties)
    total = SumCalculator([first.calculator, zero])
    found = type(first.encoder).recognises(first.calculator)
    calc = PlatonicCalculator(
        total,
        anchors=first.anchors,
        reference=first.reference,
        encoder=None if found else first.encoder,
        on_warning="ignore",
    )
    assert calc.encoder.calculator is first.calculator, "another calculator's model is read"
    bare, atoms = Bare(make), make_atoms()
    atoms.calc = calc
    assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])
    atoms.positions[0, 0] += 0.1
    with forwards(calc.encoder) as count:
        forces = atoms.get_forces()
        atoms.get_potential_energy()
    assert len(count) == calc.encoder.captures_per_forward, f"{len(count)} forward passes in a sum"
    assert calc.embeddings is not None
    assert np.array_equal(forces, bare(atoms)["forces"])
    atoms.positions[0, 0] += 0.05
    assert np.array_equal(atoms.get_forces(), bare(atoms)["forces"])


def check_forces_are_raw(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """See the forces that constraints hide from the user."""
    from ase.constraints import FixSymmetry

    keeper = FrameKeeper()
    calc, bare, atoms = make(diagnostics=[keeper]), Bare(make), make_atoms()
    for constraint in (FixAtoms(range(len(atoms))), FixSymmetry(atoms.copy())):
        atoms.set_constraint()
        atoms.positions = rattled(make_atoms()).positions
        raw = bare(atoms)["forces"]
        atoms.set_constraint(constraint)
        atoms.calc = calc
        calc.reset()
        constrained = atoms.get_forces()
        assert not np.allclose(constrained, raw, rtol=0, atol=1e-6), "the constraint does nothing"
        assert np.array_equal(keeper.frames[-1].results["forces"], raw), (
            f"diagnostics see forces changed by {type(constraint).__name__}"
        )


def check_nothing_is_kept_alive(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Let go of the model's tensors, and remember no more after many geometries than before."""
    calc, atoms = make(), rattled(make_atoms())
    atoms.calc = calc
    raw: list[weakref.ref[Any]] = []
    with calc.encoder.listen(lambda array: raw.append(weakref.ref(array))):
        atoms.get_forces()
    gc.collect()
    own = {id(calc.embeddings), id(calc.platonic)}
    assert not any(id(reference()) in own for reference in raw), "the model's own array is kept"
    for value in (calc.embeddings, calc.platonic):
        assert isinstance(value, np.ndarray), f"a {type(value).__name__} is kept, not an array"
    steps = 12
    for _ in range(3):
        _step(atoms)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(steps):
        _step(atoms)
    gc.collect()
    growth = len(gc.get_objects()) - before
    assert growth < steps, f"{growth} objects more after {steps} geometries"


def check_unobservable_models_are_refused(make: MakeCalculator, make_atoms: MakeAtoms) -> None:
    """Say what to do when the forward pass cannot be observed, and remember no result."""
    for times, remedy in ((0, "eager"), (2, "layer")):
        calc, atoms = make(), rattled(make_atoms())
        atoms.calc = calc
        with replaced(calc.encoder, "listen", _repeated(calc.encoder, times)):
            message = ""
            try:
                atoms.get_potential_energy()
            except CaptureError as error:
                message = str(error)
        assert remedy in message, f"{times} captures in one calculation: {message or 'no error'}"
        assert not calc.results, "results are kept although the set-up cannot work"
        atoms.get_potential_energy()
        assert calc.diagnosis is not None, "once the model can be observed, it is not"


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


def rattled(atoms: Atoms, size: float = 0.05, seed: int = 0) -> Atoms:
    """Displace all atoms of a copy at random, Å."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(scale=size, size=(len(atoms), 3))
    return atoms


class Bare:
    """The inner calculator alone, to compare with; asked for the same geometries in turn.

    Parameters
    ----------
    make : callable
        Makes the wrapped calculator; its inner one may be shared.
    """

    def __init__(self, make: MakeCalculator) -> None:
        self.calculator = make().calculator
        self._shared = self.calculator is make().calculator

    def __call__(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """All results for a geometry, without constraints."""
        atoms = atoms.copy()
        atoms.set_constraint()
        if self._shared and hasattr(self.calculator, "reset"):
            self.calculator.reset()  # or it would return what the wrapped run has left
        found = {}
        for name in _claimed(self.calculator):
            with suppress(PropertyNotImplementedError):  # claimed, but not for this structure
                found[name] = np.array(self.calculator.get_property(name, atoms))
        results = self.calculator.results
        found.update({name: np.array(v) for name, v in results.items() if v is not None})
        return found


@contextmanager
def forwards(encoder: Encoder) -> Iterator[list[None]]:
    """Count the embeddings that the model produces inside the context."""
    count: list[None] = []
    with encoder.listen(lambda array: count.append(None)):
        yield count


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of an instance for a while.

    A value that is made by :func:`_before` is given the attribute that it replaces.
    """
    missing = object()
    previous = vars(owner).get(name, missing)
    if isinstance(value, _before):
        value = value.bind(getattr(owner, name))
    setattr(owner, name, value)
    try:
        yield
    finally:
        if previous is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, previous)


class _before:  # noqa: N801
    """Replacement for a method that runs an action and then the method."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def bind(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.action()
            return method(*args, **kwargs)

        return call


def _repeated(encoder: Encoder, times: int) -> Callable[..., Any]:
    listen = encoder.listen

    def replacement(receive: Callable[[Any], None]) -> Any:
        def repeat(array: Any) -> None:
            for _ in range(times):
                receive(array)

        return listen(repeat)

    return replacement


def _told(told: list[Any]) -> Callable[..., dict[str, Any]]:
    def replacement(**changes: Any) -> dict[str, Any]:
        told.append(changes)
        return changes

    return replacement


def _positions(calc: PlatonicCalculator) -> np.ndarray:
    assert calc.atoms is not None, "the inner calculation runs before the atoms are copied"
    return np.array(calc.atoms.positions)


def _claimed(calculator: Any) -> list[str]:
    names = ("energy", "forces", "stress", "magmoms")
    return [name for name in names if name in calculator.implemented_properties]


def _written_and_read(atoms: Atoms, kind: str) -> Atoms:
    from ase.db import connect
    from ase.io import read, write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"structure.{kind}"
        if kind == "db":
            with connect(path) as database:
                database.write(atoms)
            return connect(path).get_atoms(id=1)
        write(path, atoms, format=kind)
        return read(path, format=kind)


def _step(atoms: Atoms) -> None:
    atoms.positions[0, 0] += 1e-3
    atoms.get_forces()


class _Zero(Calculator):
    """All zero: a correction that corrects nothing."""

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        n = len(self.atoms)
        shapes = {"forces": (n, 3), "stress": (6,), "magmoms": (n,), "energies": (n,)}
        self.results = {
            name: np.zeros(shapes[name]) if name in shapes else 0.0
            for name in self.implemented_properties
        }
