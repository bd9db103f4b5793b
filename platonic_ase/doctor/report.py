"""What the doctor found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a finding is to be taken."""

    SOUND = "sound"
    NOTE = "note"
    """Worth knowing, such as forces that are no gradient by design."""
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    check : str
        What was checked.
    measured, expected : str
        For a reader, with units.
    verdict : Verdict
    meaning : str
        What it means for a user; empty where all is well.
    values : dict
        JSON-safe numbers behind it.
    """

    check: str
    measured: str
    expected: str
    verdict: Verdict
    meaning: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Examination:
    """All findings about a model.

    Attributes
    ----------
    model : str
    findings : tuple of Finding
    seconds : float
        What it took, on the wall clock.
    """

    model: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that say that the model must not be used as it is."""
        return tuple(each for each in self.findings if each.verdict is Verdict.WRONG)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; skipped where nothing could be checked."""
        found = {each.verdict for each in self.findings}
        for verdict in (Verdict.WRONG, Verdict.NOTE, Verdict.SOUND):
            if verdict in found:
                return verdict
        return Verdict.SKIPPED

    def __str__(self) -> str:
        said = "; ".join(f"{each.check}: {each.measured} ({each.meaning})" for each in self.wrong)
        return f"{self.model} is {self.verdict.value}" + (f": {said}" if said else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe dictionary."""
        return {"verdict": self.verdict.value, **asdict(self)}
