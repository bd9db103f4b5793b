"""Exceptions and warning categories, all in one place so that scripts can catch them by name."""

import os
import sys
import warnings


class PlatonicError(Exception):
    """Base class of every error that this package raises on purpose."""


class StructureError(PlatonicError, ValueError):
    """A structure that no potential can evaluate: unreadable, non-finite, zero cell, ..."""


class EncoderError(PlatonicError):
    """The embeddings of a potential cannot be read."""


class EncoderNotFoundError(EncoderError, LookupError):
    """No registered encoder recognises the calculator."""


class CaptureError(EncoderError, RuntimeError):
    """A forward pass did not deliver exactly one embedding of the right shape."""


class MissingExtraError(PlatonicError, ImportError):
    """A potential's package is not installed."""


class ModelNotFoundError(PlatonicError, LookupError):
    """A name that no loader knows, or weights that are not on this machine."""


class SpaceFileError(PlatonicError, ValueError):
    """An anchor, reference or calibration file that is missing, truncated or malformed."""


class ModelMismatchError(SpaceFileError):
    """A file made with another model, layer or setting than the one in use."""


class CalibrationError(PlatonicError, ValueError):
    """Data that no calibration can be made from: no labels, too few structures, ..."""


class ComparisonError(PlatonicError, ValueError):
    """Models that cannot be compared: different structures, too few atoms, constant rows, ..."""


class ClusterError(PlatonicError, RuntimeError):
    """A Dask scheduler that is not there, or workers that will not do."""


class ScreenError(PlatonicError, ValueError):
    """A screening that cannot start or go on: another run's output, a full disk, ..."""


class SettingError(PlatonicError, ValueError):
    """A setting of a run that makes no sense: a negative time step, an unknown ensemble, ..."""


class OutputError(PlatonicError, ValueError):
    """An output that would destroy something, or that cannot be written."""


class LogError(PlatonicError, ValueError):
    """A run log that cannot be read."""


class WarningRaised(PlatonicError, RuntimeError):  # noqa: N818
    """An event under the policy ``on_warning="raise"``, or a latched ``"stop"``.

    Attributes
    ----------
    event : platonic_ase.monitor.Event
        What was seen.
    """

    def __init__(self, event: object) -> None:
        super().__init__(str(event))
        self.event = event


class PlatonicWarning(UserWarning):
    """Base class of the warnings of this package."""


class ExtrapolationWarning(PlatonicWarning):
    """Atoms left the environments that the model is known to handle."""


class ForceErrorWarning(PlatonicWarning):
    """The calibrated bound of the force error of an atom is unusually large."""


class SymmetryWarning(PlatonicWarning):
    """Symmetry-equivalent atoms are no longer equivalent to the model."""


class PhysicsWarning(PlatonicWarning):
    """A result breaks a law of physics: net force, contacts, energy conservation, ..."""


class PhononWarning(PlatonicWarning):
    """The phonons computed with this model are likely to be wrong."""


class NoticeWarning(PlatonicWarning):
    """Something about a run limits what can be watched; said once, and no event."""


class DiagnosticFailedWarning(PlatonicWarning):
    """A diagnostic raised and was switched off; results still flow."""


class RecordingWarning(PlatonicWarning):
    """The run log could not be written; the run goes on without it."""


class KeptAsideWarning(PlatonicWarning):
    """A file of an earlier run was in the way and was moved aside."""


class UntestedVersionWarning(PlatonicWarning):
    """A potential's package has a version that its encoder was not tested with."""


class PlugInWarning(PlatonicWarning):
    """A plug-in of another package cannot be imported, or is none."""


class UnsoundModelWarning(PlatonicWarning):
    """A model is not what it claims to be: see ``platonic-ase doctor``."""


def warn_outside(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's script, not at one inside this package or ASE.

    Parameters
    ----------
    message : str
    category : type
    """
    depth, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_inside(frame.f_code.co_filename):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)


def _is_inside(filename: str) -> bool:
    folders = [os.path.dirname(__file__)]  # noqa: PTH120  (pathlib is slow to import)
    folders += [
        path
        for name in ("ase", "tqdm")
        if name in sys.modules
        for path in sys.modules[name].__path__
    ]
    return filename.startswith(tuple(folder + os.sep for folder in folders))
