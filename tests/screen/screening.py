"""Calculators for screenings, made by name in whichever process."""

import os
import signal
import threading
from pathlib import Path

from platonic_ase import register_encoder
from platonic_ase.testing import MockCalculator, MockEncoder


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
