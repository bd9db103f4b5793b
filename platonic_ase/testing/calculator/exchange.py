"""How the calculator gets along with ASE: files, copies, sums, attributes."""

from __future__ import annotations

import copy
import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.mixing import SumCalculator

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.testing.calculator.tools import (
    Bare,
    MakeAtoms,
    MakeCalculator,
    forwards,
    rattled,
    replaced,
)


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


def _told(told: list[Any]) -> Callable[..., dict[str, Any]]:
    def replacement(**changes: Any) -> dict[str, Any]:
        told.append(changes)
        return changes

    return replacement


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
