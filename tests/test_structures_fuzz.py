"""Mutated structure files: computed or refused with a sentence, quickly and in little memory."""

import warnings

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from bounded import Slow, bounded

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import PlatonicError
from platonic_ase.structures import check_structure, read_structure
from platonic_ase.testing import MockCalculator, MockEncoder, mock_anchors

FILES = 1000
TOKENS = (
    "NaN", "nan", "inf", "-inf", "1e11", "-1e11", "1e308", "1e400", "0", "0.0", "-1", "1e-9", "Xx",
    "Uuo", "X", "Q", "Na+", "99999999999999999999", "T", "F", "", '"', "'", "?", ".", "0.5", "\x00",
    "é", "5.6(3)", "1/3", "_", "loop_", "data_", "Lattice=", "pbc=", "Properties=species:S:1",
)  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    salt = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    salt.rattle(0.05, seed=0)
    found = {}
    for name, form in (("s.xyz", "extxyz"), ("s.cif", "cif"), ("POSCAR", "vasp")):
        write(folder / name, salt, format=form)
        found[name] = (folder / name).read_text()
    return found


@pytest.fixture(scope="module")
def calculator():
    inner = MockCalculator()
    return PlatonicCalculator(
        inner, anchors=mock_anchors(MockEncoder(inner)), reference=None, on_warning="ignore"
    )


def mutated(text, rng):
    """The text with some of its words, lines or characters changed."""
    lines = text.split("\n")
    for _ in range(int(rng.integers(1, 4))):
        row = int(rng.integers(len(lines)))
        words = lines[row].split(" ")
        way = int(rng.integers(6))
        if way <= 2:
            words[rng.integers(len(words))] = TOKENS[rng.integers(len(TOKENS))]
            lines[row] = " ".join(words)
        elif way == 3:
            lines.insert(row, lines[rng.integers(len(lines))])
        elif way == 4 and len(lines) > 1:
            del lines[row]
        elif lines[row]:
            at = int(rng.integers(len(lines[row])))
            lines[row] = lines[row][:at] + chr(rng.integers(32, 0x500)) + lines[row][at + 1 :]
    text = "\n".join(lines)
    return text[: rng.integers(len(text) + 1)] if rng.random() < 0.1 else text


def survives(path, calculator):
    """Whether the structure was computed; what refuses it is ours."""
    try:
        atoms = read_structure(path)
        check_structure(atoms)
        atoms.calc = calculator
        atoms.get_forces()
    except PlatonicError as error:
        assert str(error).strip()  # noqa: PT017
        return False
    return True


@pytest.mark.slow
def test_mutated_structures_are_computed_or_refused(tmp_path, sources, calculator):
    rng = np.random.default_rng(0)
    computed = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(FILES):
            name = list(sources)[k % len(sources)]
            path = tmp_path / name
            path.write_text(mutated(sources[name], rng), encoding="utf-8")
            try:
                with bounded():
                    computed += survives(path, calculator)
            except (Exception, Slow) as error:
                raise AssertionError(
                    f"file {k}, {name}: {type(error).__name__}: {error}\n{path.read_text()}"
                ) from error
    assert FILES / 20 < computed < FILES
