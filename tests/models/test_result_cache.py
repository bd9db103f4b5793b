"""A cache on request: the same numbers from fewer forward passes, and never stale ones."""

import copy
import pickle

import numpy as np
import pytest
from ase import optimize
from ase.build import bulk
from ase.mep import NEB

from platonic_ase import PlatonicCalculator
from platonic_ase.errors import SettingError
from platonic_ase.models.result_cache import ResultCache
from platonic_ase.testing import ChargedMock, FrameKeeper, MockCalculator, MockEncoder, mock_anchors


class Counting(MockCalculator):
    """Remembers all positions that it was asked to compute. (EMT, with its list of neighbours,
    depends on the geometry before.)"""

    def __init__(self):
        super().__init__()
        self.seen = []

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        self.seen.append(atoms.positions.tobytes())
        super().calculate(atoms, properties, system_changes)


def relaxed_band(calc):
    chain = [bulk("NaCl", "rocksalt", a=5.6, cubic=True) for _ in range(5)]
    chain[0].positions[0] += [0.05, 0, 0.1]
    chain[-1].positions[0] += [0.6, 0.6, 0.4]
    for image in chain:
        image.calc = calc
    neb = NEB(chain, allow_shared_calculator=True, method="improvedtangent")
    neb.interpolate()
    optimize.FIRE(neb, logfile=None).run(fmax=1e-3, steps=5)
    energies = [image.get_potential_energy() for image in chain]
    return [image.positions for image in chain], energies


def test_a_band_computes_each_geometry_once():
    found, passes = [], []
    for options in (None, {}, {"cache": 1}):
        inner = Counting()
        calc = inner
        if options is not None:
            anchors = mock_anchors(MockEncoder(inner))
            calc = PlatonicCalculator(
                inner, anchors=anchors, reference=None, on_warning="ignore", **options
            )
        inner.seen.clear()
        found.append(relaxed_band(calc))
        passes.append(len(inner.seen))
        distinct = len(set(inner.seen))
    print(passes, distinct)
    assert passes[0] == passes[1] > 2 * distinct
    assert passes[2] == distinct
    for positions, energies in found[1:]:
        assert np.array_equal(positions, found[0][0])
        assert energies == found[0][1]


def test_results_found_are_those_computed(wrap, copper):
    calc = wrap(cache=2)
    copper.calc = calc
    places = [copper.positions + 0.01 * k * np.eye(4, 3) for k in range(3)]
    first = []
    for place in places:
        copper.positions = place
        first.append((copper.get_potential_energy(), copper.get_forces(), copper.get_stress()))
    assert calc.summary().evaluated == 3
    for place, expected in zip(places[:0:-1], first[:0:-1], strict=True):
        copper.positions = place
        seen = (copper.get_potential_energy(), copper.get_forces(), copper.get_stress())
        assert all(np.array_equal(a, b) for a, b in zip(seen, expected, strict=True))
        copper.calc.results["forces"][:] = 7.0  # nobody's but the wrapper's
    assert calc.summary().evaluated == 3
    copper.positions = places[2]
    copper.get_forces()
    copper.positions = places[1]
    assert np.array_equal(copper.get_forces(), first[1][1])
    copper.positions = places[0]  # the third last
    copper.get_forces()
    assert calc.summary().evaluated == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda atoms: atoms.positions.__iadd__(np.array([1e-14, 0, 0])),
        lambda atoms: atoms.set_cell(atoms.cell * (1 + 1e-15)),
        lambda atoms: atoms.set_pbc([True, True, False]),
        lambda atoms: atoms.set_initial_magnetic_moments([1.0] * 4),
        lambda atoms: atoms.set_initial_charges([1.0] * 4),
        lambda atoms: atoms.set_atomic_numbers([47] * 4),
    ],
)
def test_comparison_is_exact(change, copper):
    cache = ResultCache(3)
    cache.keep(copper, copper.copy(), {"energy": 1.0})
    assert cache.find(copper, ["energy"]) == {"energy": 1.0}
    assert cache.find(copper, ["energy", "forces"]) is None
    assert cache.find(copper.copy(), ["energy"]) is None  # another object's
    change(copper)
    assert cache.find(copper, ["energy"]) is None


def test_parameters_that_are_set_empty_it(copper):
    inner = MockCalculator()
    calc = PlatonicCalculator(
        inner, anchors=mock_anchors(MockEncoder(inner)), reference=None, cache=4
    )
    copper.calc = calc
    start = copper.positions.copy()

    def back_and_forth():
        copper.positions[0, 0] += 0.1
        copper.get_forces()
        copper.positions = start
        copper.get_forces()
        return calc.summary().evaluated

    assert back_and_forth() == 2
    assert back_and_forth() == 2
    inner.discard_results_on_any_change = True
    inner.set(anything=1)
    assert back_and_forth() == 4
    calc.set(anything=2)
    assert back_and_forth() == 6
    calc.close()
    assert back_and_forth() == 2  # a run of its own computes and logs its own geometries


def test_each_geometry_is_diagnosed_once(wrap, copper):
    keeper = FrameKeeper()
    calc = wrap(cache=2, diagnostics=[keeper])
    copper.calc = calc
    start = copper.positions.copy()
    for _ in range(3):
        copper.positions[0, 0] += 0.1
        copper.get_forces()
        copper.positions = start
        copper.get_forces()
    assert [frame.index for frame in keeper.frames] == [0, 1]


def test_what_asks_for_more_than_the_structure_cannot_be_cached():
    inner = ChargedMock()
    with pytest.raises(SettingError, match="leave the cache out"):
        PlatonicCalculator(inner, anchors=mock_anchors(MockEncoder(inner)), reference=None, cache=1)
    with pytest.raises(SettingError, match="positive"):
        ResultCache(-1)


def test_copies_begin_with_an_empty_one(copper):
    cache = ResultCache(3)
    cache.keep(copper, copper.copy(), {"energy": 1.0})
    for other in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert other.size == 3
        assert other.find(copper, ["energy"]) is None
