"""The contract of an encoder, as functions that raise ``AssertionError``.

Each check takes a function that makes an encoder (of a new calculator, or of one that is shared)
and a function that makes a structure that its model can evaluate: some atoms of at least one
element, not all at equivalent places. What is known of a model that is not invariant, or has no
torch module, is said in :class:`EncoderTraits`::

    @pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(lambda: MyEncoder(MyCalculator()), lambda: bulk("NaCl", "rocksalt", a=5.6))
"""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes

from platonic_ase.models.embed import embed_batch, embed_one
from platonic_ase.models.encoder import Encoder
from platonic_ase.models.registry import find_encoder

MakeEncoder = Callable[[], Encoder]
MakeAtoms = Callable[[], Atoms]


@dataclass(frozen=True)
class EncoderTraits:
    """What is known of a model.

    Attributes
    ----------
    tolerance : float
        Relative difference between embeddings that rounding explains.
    rotation_error : float
        Relative change of embeddings on rotation that is known of the model; 0.02 for Orb.
    exact : bool
        Whether the model gives the same bits twice.
    perturb : callable, optional
        Called with the encoder; a context in which what the model has learned is different. By
        default one parameter of the torch model is changed.
    """

    tolerance: float = 1e-4
    rotation_error: float = 0.0
    exact: bool = True
    perturb: Callable[[Encoder], AbstractContextManager[None]] | None = None


EXACT = EncoderTraits()


def check_one_capture_per_geometry(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """One calculation delivers as many arrays as the encoder says: one, or one per member."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    with encoder.capture() as capture:
        _calculate(encoder, atoms)
    expected = encoder.captures_per_forward
    assert len(capture) == expected, f"{len(capture)} captures in one calculation, not {expected}"
    with encoder.capture() as capture:
        _calculate(encoder, atoms)
        _calculate(encoder, _rattled(atoms))
    assert len(capture) == 2 * expected, f"{len(capture)} captures in two, not {2 * expected}"


def check_shape_and_dtype(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Embeddings are finite, (n_atoms, width), in the type that the encoder states."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    for structure in (atoms, atoms * (2, 1, 1), atoms):
        found = embed_one(encoder, structure)
        expected = (len(structure), encoder.width)
        assert found.shape == expected, f"embeddings have shape {found.shape}, not {expected}"
        assert str(found.dtype) == encoder.dtype, (
            f"embeddings are {found.dtype}; the encoder says {encoder.dtype}"
        )
        assert np.isfinite(found).all(), "embeddings are not finite"


def check_embeddings_see_the_geometry(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Another geometry gives other embeddings."""
    encoder, atoms = make_encoder(), make_atoms()
    change = _difference(embed_one(encoder, atoms), embed_one(encoder, _rattled(atoms, 0.05)))
    assert change > traits.tolerance, f"a rattle of 0.05 Å changes embeddings by {change:.1e} only"


def check_captures_are_detached(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Keep a copy without a graph, and let go of the model's own tensor."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    raw: list[int] = []
    with encoder.listen(lambda array: raw.append(_address(array))), encoder.capture() as capture:
        _calculate(encoder, atoms)
    kept = capture.take(len(atoms))
    assert not getattr(kept, "requires_grad", False), "the capture keeps the graph alive"
    assert _address(kept) not in raw, "the capture shares the memory of the model's own tensor"
    watched = weakref.ref(kept)
    del kept, capture
    gc.collect()
    assert watched() is None, "something else keeps the capture alive"


def check_rows_follow_the_atoms(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Row i belongs to atom i: permuted atoms give permuted rows."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    order = np.random.default_rng(1).permutation(len(atoms))
    found, permuted = embed_one(encoder, atoms), embed_one(encoder, atoms[order])
    assert _difference(found, found[::-1]) > traits.tolerance, (
        "the atoms of the structure are too alike to tell their order"
    )
    error = _difference(found[order], permuted)
    assert error <= traits.tolerance, f"permuting the atoms changes their rows by {error:.1e}"


def check_translation_invariance(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Shifting all atoms, also across the cell's faces, changes nothing."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    shifted = atoms.copy()
    shifted.positions += [0.37, -0.21, 0.53]
    shifted.wrap()
    error = _difference(embed_one(encoder, atoms), embed_one(encoder, shifted))
    assert error <= traits.tolerance, f"a translation changes embeddings by {error:.1e}"


def check_rotation_invariance(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Rotating changes nothing, or no more than is known of the model."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    error = _difference(embed_one(encoder, atoms), embed_one(encoder, turned))
    allowed = traits.tolerance + 2 * traits.rotation_error
    assert error <= allowed, f"a rotation changes embeddings by {error:.1e}, more than {allowed}"
    assert error >= 0.1 * traits.rotation_error, (
        f"a rotation changes embeddings by {error:.1e} only; {traits.rotation_error} was stated"
    )


def check_listening_changes_nothing(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Results are the same to the last bit with and without a listener, before and after."""
    if not traits.exact:
        return
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    before = _calculate(encoder, atoms)
    with encoder.capture():
        during = _calculate(encoder, atoms)
    after = _calculate(encoder, atoms)
    for name, value in before.items():
        for when, other in (("during", during), ("after", after)):
            assert np.array_equal(value, other[name]), f"{name} differs {when} listening"


def check_hooks_are_removed(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Nothing is delivered outside the context, also when the calculation failed inside."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    with encoder.capture() as capture:
        _calculate(encoder, atoms)
    arrived = len(capture)
    _calculate(encoder, atoms)
    assert len(capture) == arrived, "embeddings arrive after the context has ended"
    try:
        with encoder.capture() as capture:
            raise KeyError("a failure inside the context")
    except KeyError:
        _calculate(encoder, atoms)
    assert len(capture) == 0, "the listener stays when the calculation fails"


def check_batches_are_the_structures_one_by_one(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Rows of a batch are those of each structure alone; the calculator runs as before."""
    with make_encoder().many() as encoder:
        if not encoder.batches:
            return
        atoms = make_atoms()
        structures = [_rattled(atoms), _rattled(atoms * (1, 1, 2), seed=1), _rattled(atoms, 0.1)]
        before = _calculate(encoder, structures[0])
        found = embed_batch(encoder, structures)
        for rows, structure in zip(found, structures, strict=True):
            alone = embed_one(encoder, structure)
            assert rows.shape == alone.shape, f"a batch gives {rows.shape}, one {alone.shape}"
            assert rows.dtype == alone.dtype, f"a batch gives {rows.dtype}, one {alone.dtype}"
            error = _difference(alone, rows)
            assert error <= traits.tolerance, f"a batch changes embeddings by {error:.1e}"
        if encoder.evaluates_batches:
            for given, structure in zip(
                encoder.evaluate_batch(structures), structures, strict=True
            ):
                _compare_results(_calculate(encoder, structure), given, traits.tolerance)
        after = _calculate(encoder, structures[0])
        if traits.exact:
            for name, value in before.items():
                assert np.array_equal(value, after[name]), f"{name} differs after a batch"


def check_identity_is_stable(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Two encoders of one model have one identity, before and after a calculation."""
    encoder = make_encoder()
    identity, elements = encoder.identity, encoder.elements
    _calculate(encoder, _rattled(make_atoms()))
    assert encoder.fingerprint == identity.fingerprint, "a calculation changes the fingerprint"
    again = make_encoder()
    assert again.identity == identity, f"two of one kind: {identity} and {again.identity}"
    assert again.elements == elements, "elements differ between two of one kind"
    json.dumps(identity.to_dict())


def check_elements_hold_the_structure(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """State at least the elements that the model evaluates here."""
    encoder, atoms = make_encoder(), make_atoms()
    _calculate(encoder, atoms)
    elements = encoder.elements
    if elements is not None:
        missing = set(atoms.numbers.tolist()) - elements
        assert not missing, f"the model evaluates elements that it does not list: {missing}"


def check_fingerprint_follows_the_weights(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Other weights, other fingerprint; the same weights again, the same fingerprint."""
    encoder = make_encoder()
    before = encoder.fingerprint
    with (traits.perturb or _nudge_a_parameter)(encoder):
        changed = encoder.fingerprint
    assert changed != before, "the fingerprint does not see that the model has changed"
    assert encoder.fingerprint == before, "the fingerprint of the same weights differs"


def check_layers_can_be_chosen(
    make_encoder: MakeEncoder, make_atoms: MakeAtoms, traits: EncoderTraits = EXACT
) -> None:
    """Each layer of a registered encoder can be read, and gives an identity of its own."""
    encoder, atoms = make_encoder(), _rattled(make_atoms())
    if not type(encoder).recognises(encoder.calculator):
        return
    identities = []
    for layer in encoder.layers:
        chosen = find_encoder(encoder.calculator, layer)
        assert chosen.layer == layer
        assert embed_one(chosen, atoms).shape == (len(atoms), chosen.width)
        identities.append(chosen.identity)
    for one, other in pairwise(identities):
        assert one.differences(other), f"two layers have one identity: {one}"


ENCODER_CHECKS = (
    check_one_capture_per_geometry,
    check_shape_and_dtype,
    check_embeddings_see_the_geometry,
    check_captures_are_detached,
    check_rows_follow_the_atoms,
    check_translation_invariance,
    check_rotation_invariance,
    check_listening_changes_nothing,
    check_hooks_are_removed,
    check_batches_are_the_structures_one_by_one,
    check_identity_is_stable,
    check_elements_hold_the_structure,
    check_fingerprint_follows_the_weights,
    check_layers_can_be_chosen,
)
"""All checks of an encoder, to parametrise a test with."""


def _rattled(atoms: Atoms, size: float = 0.05, seed: int = 0) -> Atoms:
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(scale=size, size=(len(atoms), 3))
    return atoms


def _calculate(encoder: Encoder, atoms: Atoms) -> dict[str, Any]:
    """Results of one calculation by the encoder's calculator, nothing remembered."""
    calculator = encoder.calculator
    if hasattr(calculator, "reset"):
        calculator.reset()
    calculator.calculate(atoms, ["energy", "forces"], all_changes)
    return {k: np.array(v) for k, v in calculator.results.items() if v is not None}


def _compare_results(alone: dict[str, Any], given: dict[str, Any], tolerance: float) -> None:
    assert given.keys() == alone.keys(), f"a batch gives {[*given]}, one {[*alone]}"
    for name, value in alone.items():
        other = np.array(given[name])
        assert other.shape == value.shape, f"{name}: a batch {other.shape}, one {value.shape}"
        assert other.dtype == value.dtype, f"{name}: a batch {other.dtype}, one {value.dtype}"
        error = np.abs(other.astype(float) - value).max() / max(1.0, np.abs(value).max())
        assert error <= tolerance, f"a batch changes {name} by {error:.1e}"


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference between two rows, relative to the rms length of a row."""
    scale = np.sqrt((one.astype(float) ** 2).sum(axis=1).mean())
    return float(np.linalg.norm(one.astype(float) - other, axis=1).max() / scale)


def _address(array: Any) -> int:
    if isinstance(array, np.ndarray):
        return int(array.__array_interface__["data"][0])
    return int(array.data_ptr())


@contextmanager
def _nudge_a_parameter(encoder: Encoder) -> Iterator[None]:
    import torch

    parameter = next(p for p in encoder.model.parameters() if p.is_floating_point() and p.numel())
    before = parameter.detach().clone()
    try:
        with torch.no_grad():
            parameter.view(-1)[0] += 1.0
        yield
    finally:
        with torch.no_grad():
            parameter.copy_(before)
