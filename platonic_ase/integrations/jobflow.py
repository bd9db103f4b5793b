"""jobflow makers: a job that computes one structure, or many, and returns documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import GPa
from jobflow import Maker, job
from pydantic import BaseModel, ConfigDict, Field

from platonic_ase.errors import ScreenError
from platonic_ase.screen.evaluate import Evaluator
from platonic_ase.screen.settings import ScreenSettings
from platonic_ase.screen.sources import Entry, atoms_of

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.screen.tasks import Outcome


class PlatonicOutput(BaseModel):
    """Results under the names that atomate2's flows read in a force-field job's ``output``."""

    energy: float | None = Field(default=None, description="eV")
    forces: list[list[float]] | None = Field(default=None, description="eV/Å")
    stress: list[list[float]] | None = Field(default=None, description="kbar, with VASP's sign.")
    structure: Any = Field(default=None, description="pymatgen's, where one was given.")


class PlatonicDocument(BaseModel):
    """What one structure gave: a row of a screening, with the structure for the next job."""

    model_config = ConfigDict(extra="allow")

    name: str
    formula: str = ""
    ended: str | None = Field(None, description="Why the run ended.")
    energy: float | None = Field(None, description="eV")
    largest_force: float | None = Field(None, description="eV/Å")
    steps: int = 0
    space_group: str | None = None
    space_group_after: str | None = None
    worst: dict[str, float | None] = Field({}, description="Worst of each diagnostic.")
    risks: dict[str, Any] = Field({}, description="Calibrated risks, or 'uncalibrated'.")
    events: dict[str, int] = Field({}, description="Warnings by kind.")
    covered: bool = False
    not_covered: list[str] = []
    found: dict[str, Any] = {}
    structure: Any = Field(None, description="pymatgen's, at the end, where one was given.")
    output: PlatonicOutput = PlatonicOutput()
    dir_name: str = Field("", description="Where the job ran.")
    atoms: dict[str, Any] = Field({}, description="Numbers, positions (Å), cell (Å), pbc.")


@dataclass
class PlatonicMaker(Maker):
    """Makes jobs that compute one structure under watch; what is done is its ``task``.

    Parameters
    ----------
    name : str
        Of the job.
    calculator : str
        A name of ``platonic-ase models``, or ``"module:function"`` that makes a calculator, found
        where the job runs.
    options : dict
        Arguments of the function that does the task, such as ``fmax``.
    settings : dict
        More of :class:`~platonic_ase.screen.settings.ScreenSettings`: anchors, calibration, ...
    task : str
        See :data:`~platonic_ase.screen.settings.TASKS`.
    """

    name: str = "platonic"
    calculator: str = "chgnet"
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    task: str = "singlepoint"

    @job(output_schema=PlatonicDocument)  # type: ignore[untyped-decorator]
    def make(self, structure: Any, prev_dir: str | None = None) -> PlatonicDocument:
        """Compute a structure.

        Parameters
        ----------
        structure : pymatgen Structure, Atoms, or the ``atoms`` of a former document
        prev_dir : str, optional
            Taken as other makers take it; nothing is read from there.

        Raises
        ------
        ScreenError
            If it cannot be computed.
        """
        return _document(self._evaluator(), structure, 0)

    def _evaluator(self) -> Evaluator:
        return Evaluator(
            ScreenSettings(
                calculator=self.calculator, task=self.task, options=self.options, **self.settings
            )
        )


@dataclass
class PlatonicRelaxMaker(PlatonicMaker):
    """Relaxation; options as of :func:`~platonic_ase.runs.relax.run_relaxation`."""

    name: str = "platonic relax"
    task: str = "relax"


@dataclass
class PlatonicMDMaker(PlatonicMaker):
    """Molecular dynamics; options as of :func:`~platonic_ase.runs.md.run_md`."""

    name: str = "platonic md"
    task: str = "md"


@dataclass
class PlatonicPhononMaker(PlatonicMaker):
    """Phonons and their risk; options as of :func:`~platonic_ase.phonons.run_phonon`."""

    name: str = "platonic phonon"
    task: str = "phonon"


@dataclass
class PlatonicScreenMaker(PlatonicMaker):
    """Many structures in one job, with one model; a structure that fails has its ``error``."""

    name: str = "platonic screen"

    @job  # type: ignore[untyped-decorator]
    def make(
        self, structures: Sequence[Any], prev_dir: str | None = None
    ) -> list[PlatonicDocument]:
        """Compute structures, one document each.

        Parameters
        ----------
        structures : sequence of pymatgen Structure, Atoms, or ``atoms`` of former documents
        prev_dir : str, optional
            Taken as other makers take it; nothing is read from there.
        """
        evaluator = self._evaluator()
        return [
            _document(evaluator, structure, index, strict=False)
            for index, structure in enumerate(structures)
        ]


def _document(
    evaluator: Evaluator, structure: Any, index: int, *, strict: bool = True
) -> PlatonicDocument:
    atoms = _to_ase(structure)
    row = evaluator.row(Entry(index, atoms.get_chemical_formula("metal"), atoms))
    if strict and row["error"] is not None:
        raise ScreenError(f"{row['name']} could not be computed: {row['error']}")
    final = row.pop("structure")
    ended = _like(structure, final) if final else None
    return PlatonicDocument(
        **row,
        atoms=final or {},
        structure=ended,
        output=_output(evaluator.outcome, row, ended),
        dir_name=str(Path.cwd()),
    )


def _output(outcome: Outcome | None, row: dict[str, Any], structure: Any) -> PlatonicOutput:
    if outcome is None:
        return PlatonicOutput()
    forces, stress = outcome.forces, outcome.stress
    if stress is not None:
        full = stress if stress.shape == (3, 3) else voigt_6_to_full_3x3_stress(stress)
        stress = full * (-10 / GPa)
    return PlatonicOutput(
        energy=row["energy"],
        forces=None if forces is None else forces.tolist(),
        stress=None if stress is None else stress.tolist(),
        structure=structure,
    )


def _to_ase(structure: Any) -> Atoms:
    if isinstance(structure, dict):
        return atoms_of(structure)
    if hasattr(structure, "to_ase_atoms"):
        atoms: Atoms = structure.to_ase_atoms(msonable=False)
        return atoms
    copy: Atoms = structure.copy()
    copy.calc = None
    return copy


def _like(structure: Any, final: dict[str, Any]) -> Any:
    """Structure at the end as pymatgen's, where that was given."""
    if not hasattr(structure, "to_ase_atoms"):
        return None
    from pymatgen.io.ase import AseAtomsAdaptor

    return AseAtomsAdaptor.get_structure(atoms_of(final))
