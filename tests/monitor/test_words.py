"""What an alarm says: what is wrong, by what evidence, what to do; short, for someone new to it.

Every kind of alarm of the package is made to rise here, from the mocks, and read.
"""

import ast
import math
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

import platonic_ase
from platonic_ase import OrbitSplitting, PlatonicCalculator
from platonic_ase.monitor import ForceErrorBound, ManifoldDistance, PhysicalCompanions
from platonic_ase.monitor.diagnosis import Event
from platonic_ase.monitor.frame import Frame
from platonic_ase.monitor.symmetry.resting import WINDOW, WINDOWS
from platonic_ase.phonons.checks import loose_relaxation
from platonic_ase.phonons.estimate import PhononRiskEstimate, phonon_signals
from platonic_ase.phonons.instability import Judgement, SoftDirection
from platonic_ase.stability.forecast import SymmetryForecast, forecast_signal
from platonic_ase.stability.saddle import SaddleCheck, saddle_signal
from platonic_ase.testing import DoubleWellCrystal, SpringEncoder
from platonic_ase.testing.mocks import mock_anchors

LONGEST = 300  # characters
REMEDY = re.compile(
    r"\b(compute|compare|stop|go back|smaller|halve|reduce|check|lower|relax|keep|remove|use|read "
    r"no|call)\b",
    re.IGNORECASE,
)
JARGON = re.compile(
    r"\b(orbits?|Lindemann|conformal|manifold|NVE|NVT|CUSUM|equivarian\w+|Platonic|embeddings?|"
    r"held-out|autocorrelation|stationary point|Wasserstein)\b"
)


def salt(repeat=1):
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(repeat)


def frame(atoms, results=None, *, index=0, moving=False, platonic=None):
    blank = np.zeros((len(atoms), 1))
    return Frame(
        index, atoms, blank, blank if platonic is None else platonic, results or {}, moving=moving
    )


def alarm(diagnostic, frames, kind, reference=None):
    """The first alarm of a kind over some frames."""
    state = diagnostic.start(reference or frames[0].atoms)
    for each in frames:
        for signal in diagnostic.examine(each, state).signals:
            if signal.kind == kind and signal.level >= 1:
                return signal
    raise AssertionError(f"no alarm of the kind {kind}")


class Bound:
    name, level, elements = "chgnet-0.3.0, 1000 structures (1,000 frames)", 0.9, (11, 17)
    alarm = 0.4

    def sizes(self, forces, platonic, embeddings, numbers):
        return np.linalg.norm(forces, axis=1)

    def bounds(self, sizes):
        return 2 * sizes

    def probabilities(self, sizes, limit):
        return np.where(sizes > limit, 0.9, 0.1)


def unfamiliar(mock_space, atoms):
    anchors, reference = mock_space
    events = []
    calc = PlatonicCalculator(
        EMT(), anchors=anchors, reference=reference, diagnostics=[ManifoldDistance()],
        on_warning=events.append,
    )  # fmt: skip
    calc.get_potential_energy(atoms)
    return events[0].signal


def physics(kind, results, atoms=None, reference=None):
    return alarm(PhysicalCompanions(), [frame(atoms or salt(), results)], kind, reference)


def heated(hot):
    atoms, rng = salt(), np.random.default_rng(0)
    frames = []
    for index in range(3):
        atoms = atoms.copy()
        atoms.set_momenta(rng.normal(size=(8, 3)) * (hot if index else 1.0))
        frames.append(frame(atoms, {"energy": 0.0}, index=index, moving=True))
    return alarm(PhysicalCompanions(), frames, "exploding")


def drifting():
    diagnostic, atoms = PhysicalCompanions(), salt()
    state = diagnostic.start(atoms)
    for time in np.arange(200) * 1e-3:
        state.drift.add(time, 0.1 * time)
    signals = diagnostic.examine(frame(atoms), state).signals
    return next(each for each in signals if each.kind == "energy_drift")


def told_apart():
    platonic = np.zeros((8, 2))
    platonic[3] = 0.1
    return alarm(OrbitSplitting(), [frame(salt(), platonic=platonic)], "model_symmetry")


def breaking_relaxation():
    inner = DoubleWellCrystal(2.0)
    encoder = SpringEncoder(inner)
    events = []
    calc = PlatonicCalculator(
        inner, encoder=encoder, anchors=mock_anchors(encoder), reference=None,
        diagnostics=[OrbitSplitting()], on_warning=events.append,
    )  # fmt: skip
    calc.reset_reference(salt())
    atoms = salt()
    for amount in 0.01 * np.arange(1, 9):
        atoms.positions = salt().positions
        atoms.positions[atoms.symbols == "Cl", 2] += amount
        calc.get_potential_energy(atoms)
    return events[0].signal


def vibrating(order, noise, forces=None, steps=600):
    rng, frames = np.random.default_rng(0), []
    for index in range(steps):
        atoms = salt()
        away = noise * rng.normal(size=(8, 3))
        atoms.positions += np.where((atoms.symbols == "Cl")[:, None], order, -order) + away
        results = {} if forces is None else {"forces": forces * (away - away.mean(axis=0))}
        frames.append(frame(atoms, results, index=index, moving=True))
    return frames


def broken_average():
    return alarm(OrbitSplitting(), vibrating(0.15, 0.1), "symmetry_breaking", salt())


def resting_off_sites():
    frames = vibrating(0.05, 0.02, forces=-5.0, steps=WINDOW * WINDOWS)
    diagnostic = OrbitSplitting(false_alarms=1e-300)  # the other test stays silent
    return alarm(diagnostic, frames, "symmetry_breaking", salt())


def molten():
    atoms = salt(2)
    atoms.rattle(1.0, seed=1)
    return alarm(OrbitSplitting(), [frame(atoms, moving=True)], "left_sites", salt(2))


def forecast():
    way = SoftDirection(
        eigenvalue=-1.2, curvature=-0.8, energy=-12.0, subgroup="I4/mcm (140)",
        orbit="the 24 equivalent O atoms", atoms=(1, 2), shares={"O": 1.0},
        displacements=np.zeros((3, 3)),
    )  # fmt: skip
    judged = Judgement(True, way.curvature, 0.93, 0.5, "chgnet", way.subgroup)
    return forecast_signal(SymmetryForecast("Pm-3m (221)", (way,), judged))


def saddle():
    judged = Judgement(True, -0.8, 0.93, 0.5, "chgnet", "I4/mcm (140)")
    return saddle_signal(SaddleCheck(judged, "", 9, (2, 2, 2), salt()), salt())


class Crystal:
    """A displaced crystal, as far as the signals look at it."""

    key, formula = "NaCl-1", "NaCl"

    def __init__(self):
        self.atoms = salt(2)
        force = np.zeros((64, 3))
        force[0, 0] = -0.5
        self.probes = [type("Probe", (), {"atom": 0, "forces": force})()]

    def responses(self):
        return [type("Response", (), {"atom": 0, "restoring": 1.0})()]


class Levels:
    alarm_error = alarm_imaginary = 0.5


RISK = PhononRiskEstimate(
    relative_error=0.31, interval=(0.1, 0.6), probability_above_15_percent=0.9,
    probability_above_25_percent=0.72, probability_imaginary=0.81,
    calibration="chgnet-0.3.0, 66 crystals (phonondb, PBE)",
)  # fmt: skip


def phonons(index, outside=()):
    from dataclasses import replace

    return phonon_signals(Crystal(), replace(RISK, outside=outside), Levels())[index]


def stretched():
    atoms = salt()
    atoms.set_cell(1.3 * atoms.cell, scale_atoms=True)
    return atoms


def hot_copper():
    atoms = bulk("Cu", cubic=True, a=3.6).repeat(2)
    atoms.rattle(0.6, seed=0)
    return atoms


def close_pair():
    atoms = salt()
    atoms.positions[4] = atoms.positions[0] + [0.9, 0, 0]
    return atoms


RESIDUAL = np.zeros((64, 3))
RESIDUAL[3] = 0.2
ASYMMETRIC = np.diag([0.1, 0.1, 0.1]) + np.eye(3, k=1) * 0.01
NAN = np.where(np.arange(24).reshape(8, 3) == 5, np.nan, 0.0)

CASES = {
    "extrapolation": lambda space: unfamiliar(space, hot_copper()),
    "extrapolation, new element": lambda space: unfamiliar(space, bulk("Ag", cubic=True)),
    "force_error": lambda _: alarm(
        ForceErrorBound(Bound()), [frame(salt(), {"forces": np.eye(8, 3)})], "force_error"
    ),
    "non_finite": lambda _: physics("non_finite", {"energy": math.nan, "forces": NAN}),
    "net_force": lambda _: physics("net_force", {"forces": np.full((8, 3), 0.01)}),
    "stress_asymmetry": lambda _: physics("stress_asymmetry", {"stress": ASYMMETRIC}),
    "contact": lambda _: physics("contact", {}, close_pair()),
    "volume": lambda _: physics("volume", {}, stretched(), salt()),
    "exploding": lambda _: heated(1e3),
    "energy_drift": lambda _: drifting(),
    "model_symmetry": lambda _: told_apart(),
    "symmetry_breaking, relaxation": lambda _: breaking_relaxation(),
    "symmetry_breaking, average": lambda _: broken_average(),
    "symmetry_breaking, at rest": lambda _: resting_off_sites(),
    "left_sites": lambda _: molten(),
    "symmetry_forecast": lambda _: forecast(),
    "saddle_point": lambda _: saddle(),
    "phonon_error": lambda _: phonons(0),
    "phonon_error, unlike": lambda _: phonons(0, ("chemistry", "layers")),
    "imaginary_modes": lambda _: phonons(1),
    "loose_relaxation": lambda _: loose_relaxation(Crystal(), RESIDUAL),
}


@pytest.mark.parametrize("case", CASES)
def test_an_alarm_says_what_is_wrong_why_and_what_to_do(case, mock_space):
    signal = CASES[case](mock_space)
    assert signal.kind == case.partition(",")[0]
    assert signal.level >= 1
    said = f"{signal.message} {signal.advice}"
    print(f"{signal.kind}: {said}")
    assert len(said) <= LONGEST, f"{len(said)} characters: {said}"
    assert len(re.findall(r"[.!?](?=\s|$)", said)) == 2, f"not two sentences: {said}"
    assert re.search(r"\d", signal.message), f"no evidence: {signal.message}"
    assert REMEDY.search(signal.advice), f"no remedy: {signal.advice}"
    assert not JARGON.search(said), f"jargon: {JARGON.search(said)[0]}"
    assert signal.advice[0].isupper()
    assert not re.search(r"\b(nan|inf|None)\b", said)
    assert str(Event(7, 0, signal)).startswith("geometry 7: ")


def test_no_kind_of_alarm_is_left_out():
    """Every kind that the source of the package names is read above."""
    found = set()
    root = Path(platonic_ase.__file__).parent
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", "")
            if isinstance(node, ast.Call) and name in ("Signal", "_signal"):
                kinds = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "kind")]
                found |= {kind.value for kind in kinds if isinstance(kind, ast.Constant)}
    assert found == {case.partition(",")[0] for case in CASES}


def test_the_rules_can_fail():
    assert not REMEDY.search("The model extrapolates here.")
    assert JARGON.search("the Na orbit has left its sites (Lindemann)")
