"""A second opinion: on an alarm, another model looks at the same geometry once.

Two models need no common energy zero to be compared. Their forces are, and so are their Platonic
coordinates: the default anchors are the same physical environments for every model.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import all_changes

from platonic_ase.models import find_encoder
from platonic_ase.models.default_anchors import find_anchors
from platonic_ase.models.embed import to_numpy
from platonic_ase.monitor.diagnosis import Diagnosis, Finding
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.projection import unit_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from platonic_ase.models import Encoder

logger = logging.getLogger("platonic_ase")


@dataclass(frozen=True)
class Opinion:
    """What a second model says of a geometry.

    Attributes
    ----------
    model : str
    agreement : ndarray, shape (n_atoms,), or None
        Correlation of an atom's standardised Platonic coordinates in the two models: 1 if they
        see the same surroundings, about 0 if unrelated. None without common anchors.
    usual : ndarray, shape (K,), or None
        The same for the anchor environments themselves, where both models are at home.
    force_difference : ndarray, shape (n_atoms,), or None
        Length of the difference of forces, eV/Å; None where either has no forces.
    """

    model: str
    agreement: np.ndarray | None
    usual: np.ndarray | None
    force_difference: np.ndarray | None

    def __str__(self) -> str:
        parts = []
        if self.force_difference is not None:
            worst = int(self.force_difference.argmax())
            rms = float(np.sqrt(np.square(self.force_difference).mean()))
            parts.append(
                f"forces differ by up to {self.force_difference[worst]:.2g} eV/Å at atom {worst} "
                f"(rms {rms:.2g})"
            )
        if self.agreement is not None and self.usual is not None:
            worst = int(self.agreement.argmin())
            rank = 100 * float((self.usual < self.agreement[worst]).mean())
            parts.append(
                f"agreement in Platonic space {self.agreement.mean():.2f}, lowest "
                f"{self.agreement[worst]:.2f} at atom {worst} ({rank:.0f} % of the anchor "
                "environments agree less)"
            )
        return f"second opinion of {self.model}: {', '.join(parts) or 'nothing to compare'}"


class SecondOpinion:
    """Asks another model about a geometry at which an event was raised.

    Parameters
    ----------
    calculator : ase calculator
        The other model; run on alarms only, once for each geometry.
    anchors : AnchorSet, optional
        Its anchors, the same environments as those of the first model. By default the default
        ones, embedded at the first alarm (100 small structures) unless they are stored.
    encoder : Encoder, optional
        Used instead of the one that the registry finds.
    """

    def __init__(
        self,
        calculator: Any,
        anchors: AnchorSet | None = None,
        *,
        encoder: Encoder | None = None,
    ) -> None:
        self.calculator = calculator
        self.encoder = find_encoder(calculator) if encoder is None else encoder
        self.anchors = anchors
        if anchors is not None:
            anchors.require(self.encoder.identity)

    def extend(
        self,
        diagnosis: Diagnosis,
        atoms: Atoms,
        platonic: np.ndarray,
        results: Mapping[str, Any],
        anchors: AnchorSet,
    ) -> Diagnosis:
        """Add an opinion to a diagnosis with events; a failure becomes part of their text.

        Parameters
        ----------
        diagnosis : Diagnosis
            Returned as it is where no event was raised.
        atoms : Atoms
        platonic : ndarray, shape (n_atoms, K)
            Of the first model.
        results : mapping
            Of the first model.
        anchors : AnchorSet
            Of the first model.

        Returns
        -------
        Diagnosis
            Its events' advice ends with the opinion, and a finding ``"second_opinion"`` has the
            numbers.
        """
        if not diagnosis.events:
            return diagnosis
        finding = Finding("second_opinion")
        try:
            opinion = self.ask(atoms, platonic, results, anchors)
        except Exception as error:
            logger.warning("the second opinion failed", exc_info=error)
            text = f"the second opinion failed ({type(error).__name__}: {error})"
        else:
            finding, text = _finding(opinion), str(opinion)
        return replace(
            diagnosis,
            findings={**diagnosis.findings, finding.name: finding},
            events=tuple(
                replace(
                    event, signal=replace(event.signal, advice=_joined(event.signal.advice, text))
                )
                for event in diagnosis.events
            ),
        )

    def ask(
        self, atoms: Atoms, platonic: np.ndarray, results: Mapping[str, Any], anchors: AnchorSet
    ) -> Opinion:
        """Evaluate the other model once and compare.

        The parameters are those of :meth:`extend`.
        """
        asked = ["energy"]
        if "forces" in self.calculator.implemented_properties:
            asked.append("forces")
        if hasattr(self.calculator, "reset"):
            self.calculator.reset()
        with self.encoder.capture() as capture:
            self.calculator.calculate(atoms.copy(), asked, all_changes)
        embeddings = to_numpy(capture.take(len(atoms)))
        forces, others = results.get("forces"), self.calculator.results.get("forces")
        difference = None
        if forces is not None and others is not None:
            difference = np.linalg.norm(np.asarray(others) - np.asarray(forces), axis=1)
        agreement = usual = None
        theirs = self._common_anchors(anchors)
        if theirs is not None:
            mine_axes = anchors.project(anchors.embeddings)
            their_axes = theirs.project(theirs.embeddings)
            usual = _agreement(mine_axes, their_axes, mine_axes, their_axes)
            agreement = _agreement(platonic, theirs.project(embeddings), mine_axes, their_axes)
        return Opinion(self.encoder.model_name, agreement, usual, difference)

    def _common_anchors(self, anchors: AnchorSet) -> AnchorSet | None:
        """Anchors of the other model, if they are the environments of the first one's."""
        if self.anchors is None:
            self.anchors = find_anchors(self.encoder, progress=False)
        same = (
            np.array_equal(self.anchors.numbers, anchors.numbers)
            and self.anchors.provenance.get("source") == anchors.provenance.get("source")
            and self.anchors.provenance.get("selection") == anchors.provenance.get("selection")
            and (self.anchors.centre is None) == (anchors.centre is None)
        )
        return self.anchors if same else None


def as_second_opinion(given: Any, first: Any) -> SecondOpinion | None:
    """Turn what a user gives, a calculator or an opinion, into an opinion; None stays None.

    Parameters
    ----------
    given : ase calculator, SecondOpinion or None
    first : ase calculator
        The one whose alarms are judged.

    Raises
    ------
    ValueError
        If it is the same object: running it would overwrite the results.
    """
    if given is None:
        return None
    opinion = given if isinstance(given, SecondOpinion) else SecondOpinion(given)
    if opinion.calculator is first:
        raise ValueError(
            "second_opinion is the calculator itself; a second opinion needs another model"
        )
    return opinion


def _joined(advice: str, opinion: str) -> str:
    """Advice with the opinion at its end, still one sentence."""
    return f"{advice.rstrip().rstrip('.')}; {opinion}." if advice else f"{opinion}."


def _agreement(
    mine: np.ndarray, theirs: np.ndarray, mine_axes: np.ndarray, their_axes: np.ndarray
) -> np.ndarray:
    """Correlation, atom by atom, after each axis is standardised over the anchors, shape (n,)."""
    rows = []
    for z, axes in ((mine, mine_axes), (theirs, their_axes)):
        spread = axes.std(axis=0)
        scaled = (z - axes.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        rows.append(unit_rows(scaled - scaled.mean(axis=1, keepdims=True)))
    return np.asarray((rows[0] * rows[1]).sum(axis=1))


def _finding(opinion: Opinion) -> Finding:
    scalars, per_atom = {}, {}
    if opinion.agreement is not None:
        per_atom["second_opinion_agreement"] = opinion.agreement
        scalars["second_opinion_disagreement"] = 1 - float(opinion.agreement.min())
    if opinion.force_difference is not None:
        per_atom["second_opinion_force_difference"] = opinion.force_difference
        scalars["second_opinion_force_difference"] = float(opinion.force_difference.max())
    return Finding("second_opinion", scalars=scalars, per_atom=per_atom)
