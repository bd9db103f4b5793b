import numpy as np
import pytest
from ase.build import bulk

from platonic_ase import PlatonicCalculator, find_encoder
from platonic_ase.phonons.chemistry import bonded_neighbours, formal_valences
from platonic_ase.phonons.crystal import DisplacedCrystal, mirrored
from platonic_ase.phonons.features import combine, orbit_row
from platonic_ase.phonons.kinds import bonded_dimension
from platonic_ase.phonons.linear import LinearPart
from platonic_ase.phonons.response import DisplacementResponse
from platonic_ase.phonons.risk import PhononRisk
from platonic_ase.phonons.sites import (
    Probe,
    Rest,
    odd_share,
    participation,
    response,
    site_response,
    spread,
)
from platonic_ase.phonons.supercells import (
    displacements,
    few_displacements,
    infer_ideal,
    single_displacement,
)
from platonic_ase.testing import SpringCrystal, mock_anchors


def test_response_is_the_change_per_length():
    z0 = np.zeros((3, 2))
    z = np.array([[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    assert response(z, z0, np.array([0.0, 0.0, 0.5])).tolist() == [10.0, 2.0, 0.0]


def test_participation_counts_equal_atoms():
    assert participation(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)


def test_spread_is_the_rms_distance():
    value = spread(np.array([1.0, 1.0]), np.array([0.0, 2.0]), 2.0)
    assert value == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize(("sign", "share"), [(-1, 1.0), (1, 0.0)])
def test_odd_share(sign, share):
    rest = np.full((2, 3), 0.5)
    change = np.array([[0.1, 0.0, 0.2], [0.0, -0.3, 0.0]])
    assert odd_share(rest + change, rest + sign * change, rest) == pytest.approx(share)


def test_valence_and_neighbours():
    for numbers, valences in (
        ([11, 17], [1, 1]), ([12, 8], [2, 2]), ([5, 15], [3, 3]), ([29], [1]), ([28, 13], [1, 1]),
        ([38, 22, 8, 8, 8], [2, 4, 2, 2, 2]), ([55, 82, 53, 53, 53], [1, 2, 1, 1, 1]),
        ([56, 9, 17], [2, 1, 1]), ([20, 6, 8, 8, 8], [2, 4, 2, 2, 2]), ([22, 28, 50], [2, 2, 4]),
    ):  # fmt: skip
        assert formal_valences(np.array(numbers)).tolist() == valences
    mask = bonded_neighbours(np.array([0.0, 2.0, 2.3, 2.5]), 0)
    assert mask.tolist() == [False, True, True, False]
    assert not bonded_neighbours(np.array([0.0]), 0).any()


@pytest.fixture
def springs():
    """A spring crystal: 64 atoms at rest, and how to displace one of them."""
    calc = SpringCrystal()
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(2)
    atoms.calc = calc

    def probe(atom, u):
        moved = atoms.copy()
        moved.positions[atom] += u
        moved.calc = calc
        forces = moved.get_forces()
        # an embedding that knows how the atom and its neighbours moved
        z = np.stack([forces[:, 0] ** 2, forces @ np.ones(3), np.ones(len(atoms))], axis=1)
        return Probe(atom, np.asarray(u, dtype=float), forces, z)

    z0 = np.tile([0.0, 0.0, 1.0], (len(atoms), 1))
    return atoms, DisplacedCrystal(atoms.copy(), np.zeros((64, 3)), z0), probe


def test_springs_give_what_springs_must(springs):
    _, crystal, probe = springs
    crystal.add(probe(0, [0.03, 0, 0]))
    (site,) = crystal.responses()
    assert site.curvature == pytest.approx(6.0)
    assert site.neighbour_share == pytest.approx(1.0)
    assert site.force_share == pytest.approx(36 / 42)
    assert site.coordination == 6
    assert site.bond == pytest.approx(2.8)
    assert site.paired  # the site is a centre of inversion: symmetry gives -u
    assert not crystal.complete
    crystal.add(probe(1, [0.03, 0, 0]))
    assert crystal.complete
    features = crystal.features()
    assert features.stiffness_excess == pytest.approx(np.log(6) + 3 * np.log(2.8))
    assert features.softest_curvature == pytest.approx(6.0)
    assert features.log_coordination == pytest.approx(np.log(6))


def test_the_mirrored_probe_is_the_calculated_one(springs):
    _, crystal, probe = springs
    u = np.array([0.02, 0.01, 0.0])
    assert len(crystal.orbits) == 64
    mirror = mirrored(crystal.atoms, crystal.rotations, probe(5, u))
    calculated = probe(5, -u)
    assert np.allclose(mirror.displacement, -u)
    assert np.allclose(mirror.forces, calculated.forces, atol=1e-12)


def test_zincblende_has_no_mirror_along_the_bond():
    atoms = bulk("BP", "zincblende", a=4.5, cubic=True).repeat(2)
    crystal = DisplacedCrystal(atoms, np.zeros((64, 3)), np.zeros((64, 2)))
    assert len(np.unique(crystal.orbits)) == 2
    along = Probe(0, np.full(3, 0.02), np.zeros((64, 3)), np.zeros((64, 2)))
    assert mirrored(atoms, crystal.rotations, along) is None
    axis = Probe(0, np.array([0.03, 0, 0]), np.zeros((64, 3)), np.zeros((64, 2)))
    assert mirrored(atoms, crystal.rotations, axis) is not None


def test_features_do_not_depend_on_how_often_a_direction_is_given(springs):
    _, crystal, probe = springs
    for u in ([0.03, 0, 0], [-0.03, 0, 0], [0.03, 0, 0]):
        crystal.add(probe(0, u))
    assert len(crystal.probes) == 2
    assert len(crystal.responses()) == 1


def loop(symmetric, risk):
    """Risks of each geometry, events and alarms held back of a loop over all atoms."""
    inner = SpringCrystal(k=0.2)
    atoms = inner.structure().repeat(2)
    if not symmetric:
        atoms.rattle(0.02, seed=3)
    anchors = mock_anchors(find_encoder(inner))
    diagnostics = [DisplacementResponse(risk, quiet=10.0)]
    calc = PlatonicCalculator(
        inner, anchors=anchors, reference=None, diagnostics=diagnostics, on_warning="ignore"
    )
    calc.get_forces(atoms)
    said = []
    for k in range(60):
        displaced = atoms.copy()
        displaced.positions[k // 3 % len(atoms), k % 3] += 0.02
        calc.get_forces(displaced)
        said.append((calc.diagnosis.risks, calc.diagnosis.scalars, calc.diagnosis.events))
    return said, calc.summary()


@pytest.mark.parametrize("symmetric", [True, False])
def test_risks_and_alarms_of_a_loop_are_those_of_the_full_recomputation(symmetric, monkeypatch):
    part = LinearPart(("log_response",), np.full(1, -3.0), np.full(1, 0.5), np.full(1, -0.1), 0.5)
    digest = mock_anchors(find_encoder(SpringCrystal())).digest
    risk = PhononRisk("planted", part, sigma=0.1, anchors_digest=digest)
    kept, summary = loop(symmetric, risk)
    monkeypatch.setattr(DisplacedCrystal, "features", lambda self, _: plainly(self)[1])
    monkeypatch.setattr(DisplacedCrystal, "responses", lambda self: plainly(self)[0])
    monkeypatch.setattr(
        DisplacedCrystal, "dimension", property(lambda self: bonded_dimension(self.atoms))
    )
    anew, expected = loop(symmetric, risk)
    assert repr(kept) == repr(anew)
    assert summary == expected
    assert summary.raised["phonon_error"] == 1
    assert len({risks["phonon_probability_above_25_percent"] for risks, _, _ in kept}) > 1


def test_no_probe_is_an_error(springs):
    _, crystal, _ = springs
    assert crystal.responses() == ()
    with pytest.raises(ValueError, match="at least one atom"):
        crystal.features()
    with pytest.raises(ValueError, match="at least one atom"):
        combine(np.zeros((0, 15)), np.zeros(0), np.zeros(0), np.zeros(0), 1)


def plainly(crystal):
    """Features from all probes anew, pairs looked for among all of them, as published."""
    probes = []
    for probe in crystal.probes:
        probes.append(probe)
        if not any(
            other.atom == probe.atom
            and np.allclose(other.displacement, -probe.displacement, atol=1e-5)
            for other in crystal.probes
        ):
            mirror = mirrored(crystal.atoms, crystal.rotations, probe)
            probes += [] if mirror is None else [mirror]
    everything = np.arange(len(crystal.atoms))
    far = {p.atom: crystal.atoms.get_distances(p.atom, everything, mic=True) for p in probes}
    rest = Rest(crystal.atoms.numbers, far, crystal.orbits, crystal.forces, crystal.platonic)
    responses = []
    while probes:
        plus = probes.pop(0)
        size = np.linalg.norm(plus.displacement)
        partner = [
            k
            for k, p in enumerate(probes)
            if p.atom == plus.atom
            and np.linalg.norm(p.displacement + plus.displacement) < 1e-3 * size
        ]
        responses.append(site_response(rest, plus, probes.pop(partner[0]) if partner else None))
    orbits = {}
    for each in responses:
        orbits.setdefault(each.orbit, []).append(each)
    first = [group[0].atom for group in orbits.values()]
    valences = formal_valences(crystal.atoms.numbers)[first]
    masses, counts = crystal.atoms.get_masses()[first], np.bincount(crystal.orbits)[[*orbits]]
    rows = np.array([orbit_row(group) for group in orbits.values()])
    n_elements = len(np.unique(crystal.atoms.numbers))
    return tuple(responses), combine(rows, valences, masses, counts, n_elements)


@pytest.mark.parametrize("rattle", [0.0, 0.02])
def test_features_kept_up_are_those_of_all_probes(springs, rattle):
    """Pairs that come late, probes given twice, several atoms of an orbit, rest calculated late."""
    atoms, crystal, probe = springs
    rng = np.random.default_rng(0)
    if rattle:
        atoms.rattle(rattle, seed=1)
        crystal = DisplacedCrystal(atoms.copy(), crystal.forces, crystal.platonic)
    steps = [(int(atom), u) for atom in rng.integers(0, 8, 12) for u in np.eye(3)[:2] * 0.02]
    steps += [(atom, -u) for atom, u in steps[::3]] + [steps[4], steps[1]]
    for k, (atom, u) in enumerate(steps):
        crystal.add(probe(atom, u * (1 if k % 5 else 1.5)))
        if k == 15:
            crystal.calculated(rng.normal(0, 1e-3, (64, 3)), crystal.platonic + 1e-3)
        if k % 4 == 3:
            continue  # nobody asks: what is due is made up for later
        responses, features = plainly(crystal)
        # a site that misses its mirror is not paired, and NaN is not equal to itself
        assert repr(crystal.responses()) == repr(responses)
        assert repr(crystal.features()) == repr(features)
    assert len(crystal.probes) < len(steps)


@pytest.mark.parametrize("name", ["cubic", "primitive", "wurtzite", "double"])
@pytest.mark.parametrize("atom", [0, 1, -1])
def test_the_ideal_lattice_is_found(name, atom):
    atoms = {
        "cubic": bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(2),
        "primitive": bulk("NaCl", "rocksalt", a=5.6).repeat(3),
        "wurtzite": bulk("ZnO", "wurtzite", a=3.3, c=5.3).repeat((3, 3, 2)),
        "double": bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat((2, 1, 1)),
    }[name]
    atom %= len(atoms)
    forces = np.zeros((len(atoms), 3))
    perfect = infer_ideal(atoms, forces)
    assert perfect.moved == -1
    moved = atoms.copy()
    moved.positions[atom] += [0.02, -0.01, 0.005]
    moved.wrap()
    forces[atom] = [-0.1, 0, 0]
    found = infer_ideal(moved, forces)
    assert found.moved == atom
    assert np.allclose(found.displacement, [0.02, -0.01, 0.005], atol=1e-9)
    back = moved.copy()
    back.positions = found.positions
    assert np.abs(displacements(back, atoms.positions)).max() < 1e-9


def test_what_is_no_displaced_supercell():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(2)
    forces = np.zeros((64, 3))
    rattled = atoms.copy()
    rattled.rattle(0.02)
    vacancy = atoms.copy()
    del vacancy[3]
    doped = atoms.copy()
    doped.symbols[0] = "K"
    molecule = atoms.copy()
    molecule.pbc = False
    for structure in (rattled, vacancy, doped, molecule):
        assert infer_ideal(structure, forces[: len(structure)]) is None
    shifts = np.zeros((64, 3))
    shifts[[3, 7]] = [[0.02, 0, 0], [0, 0.03, 0]]
    assert list(few_displacements(shifts)) == [3, 7]
    assert single_displacement(shifts) is None
    assert few_displacements(shifts[:8][[3, 7, 0]]) is None  # most of all
    assert few_displacements(np.eye(64, 3) * 0.03 + 0.01) is None  # all
    shifts[9] = [0.2, 0, 0]
    assert few_displacements(shifts) is None  # too far
    assert few_displacements(np.zeros((64, 3))) is None
    assert single_displacement(np.zeros((3, 3))) is None
    assert single_displacement(np.eye(3) * 0.05) is None  # three atoms
    assert single_displacement(np.array([[0.3, 0, 0], [0, 0, 0]])) is None  # too far
