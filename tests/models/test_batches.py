from contextlib import contextmanager

import numpy as np
import pytest
from ase.build import bulk

from platonic_ase.errors import CaptureError
from platonic_ase.models.embed import batches_of, embed, embed_each, embed_one
from platonic_ase.testing import MockCalculator, MockEncoder, SilentMock


class NoCopper(MockCalculator):
    def calculate(self, atoms=None, *arguments, **options):
        if "Cu" in atoms.symbols:
            raise RuntimeError("no parameters for copper")
        super().calculate(atoms, *arguments, **options)


class Batching(MockEncoder):
    """Runs batches by a potential of its own, and keeps their sizes."""

    batches = True

    def __init__(self, calculator=None, spoiled=None):
        super().__init__(calculator or NoCopper())
        self.inside = MockEncoder(NoCopper())
        self.spoiled, self.sizes = spoiled, []

    @contextmanager
    def listen(self, receive):
        self.receive = receive
        with super().listen(receive):
            yield

    def run_batch(self, structures):
        self.sizes.append(len(structures))
        rows = np.concatenate([embed_one(self.inside, atoms) for atoms in structures])
        if self.spoiled is not None:
            rows[self.spoiled] = np.nan
        self.receive(rows)


def structures(copper=()):
    made = []
    for seed in range(7):
        atoms = bulk("Cu" if seed in copper else "Si", "diamond", a=5.4, cubic=seed % 2 == 0)
        atoms.rattle(0.05, seed=seed)
        made.append(atoms)
    return made  # of 8, 2, 8, 2, 8, 2 and 8 atoms


def run(encoder, made, **options):
    return embed_each(encoder, made, encoder.identity, lambda n: None, **options)


def test_batches_hold_what_each_structure_gives_alone():
    encoder = Batching()
    found = run(encoder, structures(), batch_atoms=20)
    alone = run(MockEncoder(MockCalculator()), structures())
    assert np.array_equal(found.embeddings, alone.embeddings)
    assert np.array_equal(found.structures, alone.structures)
    assert encoder.sizes == [4, 3]


def test_a_failing_structure_does_not_lose_its_batch():
    found = run(Batching(), structures(copper=[1]), batch_atoms=20)
    assert found.failures == {1: "RuntimeError: no parameters for copper"}
    assert sorted(set(found.structures.tolist())) == [0, 2, 3, 4, 5, 6]
    alone = run(MockEncoder(NoCopper()), structures(copper=[1]))
    assert np.array_equal(found.embeddings, alone.embeddings)


def test_a_batch_that_is_not_finite_is_run_one_by_one():
    found = run(Batching(spoiled=3), structures(), batch_atoms=20)
    assert found.failures == {}
    assert np.isfinite(found.embeddings).all()
    assert len(found) == sum(map(len, structures()))


def test_a_model_that_cannot_be_observed_is_an_error():
    class Mute(Batching):
        def run_batch(self, structures):
            self.sizes.append(len(structures))

    with pytest.raises(CaptureError):
        run(Mute(SilentMock()), structures())


def test_progress_counts_structures():
    done = []
    encoder = Batching()
    embed_each(encoder, structures(), encoder.identity, done.append, batch_atoms=20)
    assert done == [4, 3]
    assert len(embed(encoder, structures(), progress=False)) == sum(map(len, structures()))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([9], [range(1)]),
        ([4, 4, 9, 1, 1], [range(2), range(2, 3), range(3, 5)]),
        ([9, 1, 9], [range(1), range(1, 2), range(2, 3)]),
    ],
)
def test_batches_are_bounded_by_atoms(sizes, expected):
    assert list(batches_of(sizes, most=8)) == expected
