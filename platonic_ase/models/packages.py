"""The packages that there are encoders for, and the versions that they were tested with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from platonic_ase.errors import MissingExtraError, UntestedVersionWarning


@dataclass(frozen=True)
class Package:
    """A package on PyPI that an encoder reads.

    Attributes
    ----------
    extra : str
        Extra of platonic_ase that installs it; also the name of its encoder.
    distribution : str
        Name on PyPI.
    oldest, newest : str
        Range of versions that the tests of its encoder passed with.
    dtypes : tuple of str
        Floating-point types to choose from; the first is the default.
    """

    extra: str
    distribution: str
    oldest: str
    newest: str
    dtypes: tuple[str, ...] = ("float32",)

    @property
    def installed(self) -> str | None:
        """Version in this environment; None where it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    @property
    def tested(self) -> str:
        """Range of tested versions, such as ``"0.4.0 to 0.4.2"``."""
        return self.newest if self.oldest == self.newest else f"{self.oldest} to {self.newest}"

    def covers(self, candidate: str) -> bool:
        """Whether a version lies in the tested range."""
        return _key(self.oldest) <= _key(candidate) <= _key(self.newest)

    def require(self) -> str:
        """Installed version.

        Raises
        ------
        MissingExtraError
            With the command that installs it.
        """
        found = self.installed
        if found is None:
            raise MissingExtraError(
                f"{self.distribution} is not installed; pip install 'platonic_ase[{self.extra}]'"
            )
        return found


PACKAGES: Mapping[str, Package] = MappingProxyType(
    {
        package.extra: package
        for package in (
            Package("chgnet", "chgnet", "0.4.2", "0.4.2"),
            Package("sevennet", "sevenn", "0.13.0", "0.13.0"),
            Package("mace", "mace-torch", "0.3.16", "0.3.16", ("float32", "float64")),
            Package("orb", "orb-models", "0.5.5", "0.5.5", ("float32", "float64")),
            Package("mattersim", "mattersim", "1.2.3", "1.2.3"),
            Package("matgl", "matgl", "2.0.6", "4.1.2"),
            Package("fairchem", "fairchem-core", "2.24.0", "2.24.0"),
            Package("nequip", "nequip", "0.19.0", "0.19.0", ("as saved",)),
            Package("nequix", "nequix", "0.4.5", "0.4.5"),
            Package("grace", "tensorpotential", "0.6.2", "0.6.2", ("as saved",)),
            Package("metatomic", "metatomic-ase", "0.1.4", "0.1.4", ("as saved",)),
        )
    }
)


def warn_if_untested(encoder: str) -> None:
    """Warn where the package of an encoder has a version that its tests did not see.

    Parameters
    ----------
    encoder : str
        Name of the encoder; one that is not built in is left alone.
    """
    package = PACKAGES.get(encoder)
    found = None if package is None else package.installed
    if package is None or found is None or package.covers(found):
        return
    warnings.warn(
        f"{package.distribution} {found} is installed; the encoder {encoder!r} was tested with "
        f"{package.tested}. Results are the calculator's own either way; check the embeddings "
        "with platonic_ase.testing.",
        UntestedVersionWarning,
        stacklevel=3,
    )


def _key(text: str) -> tuple[int, ...]:
    """Release numbers of a version: ``"2.24.0rc1+cpu"`` gives (2, 24, 0)."""
    numbers = []
    for part in text.partition("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
