"""Calculators for screenings, made by name in whichever process."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from platonic_ase import register_encoder
from platonic_ase.models.embed import embed_one
from platonic_ase.testing import MockCalculator, MockEncoder

LARGE = 15.0  # Å³


def make(seed=0):
    register_encoder(MockEncoder)
    return MockCalculator(seed=seed)


class Killer(MockCalculator):
    """Kills its process at each structure with silver, while the file in FUSE has lives left."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        fuse = Path(os.environ["FUSE"])
        if 47 in atoms.numbers and (lives := int(fuse.read_text())):
            fuse.write_text(str(lives - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        super().calculate(atoms, properties, system_changes)


def make_killer():
    register_encoder(MockEncoder)
    return Killer()


class Waiting(MockCalculator):
    """Waits at the largest cell while the file in HOLD exists, so that nobody else has to hurry."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        while atoms.get_volume() > LARGE and Path(os.environ["HOLD"]).exists():
            time.sleep(0.02)
        super().calculate(atoms, properties, system_changes)


def make_waiting():
    register_encoder(MockEncoder)
    return Waiting()


def make_counted():
    """The same model, each time that it is made counted in a file."""
    with Path(os.environ["LOADS"]).open("a") as file:
        file.write("x")
    return make()


_ONE_AT_A_TIME = threading.Lock()


def make_by_file():
    """A model whose weights depend on how often it was made, also by threads at the same time."""
    with _ONE_AT_A_TIME:
        make_counted()
        return make(seed=len(Path(os.environ["LOADS"]).read_text()))


class Batching(MockEncoder):
    """Evaluates batches, and writes their sizes to a file where there is one."""

    evaluates_batches = True

    @classmethod
    def recognises(cls, calculator):
        return isinstance(calculator, Batched)

    def evaluate_batch(self, structures):
        with Path(os.environ["SIZES"]).open("a") as file:
            file.write(f"{len(structures)} ")
        if any(47 in atoms.numbers for atoms in structures):
            raise RuntimeError("no silver in a batch")
        found, rows = [], []
        inside = MockCalculator()
        for atoms in structures:
            inside.calculate(atoms, ["energy", "forces"])
            found.append(dict(inside.results))
            rows.append(embed_one(MockEncoder(inside), atoms))
        self.receive(torch.as_tensor(np.concatenate(rows)))  # as a forward pass does
        return found

    @contextmanager
    def listen(self, receive):
        self.receive = receive
        with super().listen(receive):
            yield


class Batched(MockCalculator):
    """Runs like any other, one by one; its encoder batches."""


def make_batched():
    register_encoder(MockEncoder)
    register_encoder(Batching)
    return Batched()
