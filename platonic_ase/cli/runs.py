"""Commands that run something under watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import (
    AnchorsOpt,
    AuditOpt,
    CalculatorOpt,
    CalibrationOpt,
    DeviceOpt,
    EnsembleName,
    IntervalOpt,
    LayerOpt,
    LogOpt,
    OnWarning,
    OutputFiles,
    PolicyOpt,
    QuietOpt,
    ReferenceOpt,
    ReportOpt,
    StructureArg,
    SupercellOpt,
    audit_first,
    conclude,
    read_input,
    wrap,
)


def md(
    structure: StructureArg,
    calculator: CalculatorOpt = "chgnet",
    temperature: Annotated[float, typer.Option("--temperature", "-t", min=0, help="In K.")] = 300.0,
    steps: Annotated[int, typer.Option("--steps", "-n", min=0, help="Number of steps.")] = 500,
    timestep: Annotated[float, typer.Option(help="In fs.")] = 2.0,
    ensemble: Annotated[EnsembleName, typer.Option(help="Ensemble.")] = EnsembleName.NVT,
    pressure: Annotated[float, typer.Option(help="In GPa, for npt.")] = 0.0,
    supercell: SupercellOpt = (1, 1, 1),
    trajectory: Annotated[
        Path | None, typer.Option(help="ASE trajectory.  [default: STRUCTURE-md.traj]")
    ] = None,
    log: LogOpt = None,
    report: ReportOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    interval: IntervalOpt = 1,
    seed: Annotated[int | None, typer.Option(help="Of velocities and thermostat.")] = None,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    calibration: CalibrationOpt = None,
    audit: AuditOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Molecular dynamics under watch: trajectory, log and report."""
    from platonic_ase.runs.md import run_md

    atoms = read_input(structure, supercell)
    files = OutputFiles(structure, "md", log, report)
    calc = wrap(
        calculator,
        layer,
        device,
        anchors,
        reference,
        on_warning,
        interval,
        files.log,
        quiet,
        calibration,
    )
    audit_first(audit, calc, structure, quiet)
    result = run_md(
        atoms,
        calc,
        temperature=temperature,
        steps=steps,
        timestep=timestep,
        ensemble=ensemble.value,
        pressure=pressure,
        trajectory=trajectory or files.path("traj"),
        report=files.report,
        seed=seed,
        progress=not quiet,
    )
    conclude(result)


def relax(
    structure: StructureArg,
    calculator: CalculatorOpt = "chgnet",
    fmax: Annotated[float, typer.Option(help="Largest force at convergence, eV/Å.")] = 0.02,
    steps: Annotated[int, typer.Option("--steps", "-n", min=0, help="At most.")] = 500,
    cell: Annotated[bool, typer.Option("--cell", help="Relax the cell as well.")] = False,
    fix_symmetry: Annotated[
        bool, typer.Option("--fix-symmetry", help="Keep the space group.")
    ] = False,
    optimizer: Annotated[str, typer.Option(help="From ase.optimize.")] = "FIRE",
    rattle: Annotated[
        float, typer.Option(min=0, help="Displace atoms by this first (Å), to test stability.")
    ] = 0.0,
    supercell: SupercellOpt = (1, 1, 1),
    output: Annotated[
        Path | None, typer.Option(help="Relaxed structure.  [default: STRUCTURE-relaxed.xyz]")
    ] = None,
    trajectory: Annotated[
        Path | None, typer.Option(help="ASE trajectory.  [default: STRUCTURE-relax.traj]")
    ] = None,
    log: LogOpt = None,
    report: ReportOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    interval: IntervalOpt = 1,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    calibration: CalibrationOpt = None,
    audit: AuditOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Relaxation under watch: relaxed structure, trajectory, log and report."""
    from ase.io import write

    from platonic_ase.report.outputs import keep_previous
    from platonic_ase.runs.relax import OPTIMIZERS, run_relaxation

    if optimizer not in OPTIMIZERS:
        raise typer.BadParameter(f"{optimizer!r}; one of {', '.join(OPTIMIZERS)} is needed")

    atoms = read_input(structure, supercell)
    files = OutputFiles(structure, "relax", log, report)
    calc = wrap(
        calculator,
        layer,
        device,
        anchors,
        reference,
        on_warning,
        interval,
        files.log,
        quiet,
        calibration,
    )
    audit_first(audit, calc, structure, quiet)
    if rattle:
        calc.reset_reference(atoms)
        atoms.rattle(rattle, seed=0)
    result = run_relaxation(
        atoms,
        calc,
        fmax=fmax,
        steps=steps,
        cell=cell,
        fix_symmetry=fix_symmetry,
        optimizer=optimizer,
        trajectory=trajectory or files.path("traj"),
        report=files.report,
        progress=not quiet,
    )
    relaxed = keep_previous(output or structure.with_name(f"{structure.stem}-relaxed.xyz"))
    if calc.diagnosis is not None:
        calc.annotate(atoms)
    write(relaxed, atoms)
    typer.echo(f"structure: {relaxed}")
    conclude(result)


def phonon(
    structure: StructureArg,
    calculator: CalculatorOpt = "chgnet",
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Repeat the cell along its three vectors.  [default: at least 10 Å wide, at most "
            "200 atoms]",
            show_default=False,
        ),
    ] = None,
    relax: Annotated[
        bool, typer.Option("--relax/--no-relax", help="Relax first, with the symmetry kept.")
    ] = True,
    fmax: Annotated[float, typer.Option(help="Largest force after relaxation, eV/Å.")] = 1e-3,
    displacement: Annotated[float, typer.Option(help="Of the atoms, Å.")] = 0.03,
    mesh: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Wave vectors, centred on Γ.  [default: at least 9 9 9]", show_default=False
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Result.  [default: STRUCTURE-phonon.json]")
    ] = None,
    report: ReportOpt = None,
    params: Annotated[
        Path | None,
        typer.Option(help="For phonopy.  [default: STRUCTURE-phonopy_params.yaml]"),
    ] = None,
    corrected_params: Annotated[
        Path | None,
        typer.Option(help="The same with the force constants of the estimated correction."),
    ] = None,
    risk: Annotated[
        str, typer.Option(help="'default', 'none' or a phonon pack.", show_default=True)
    ] = "default",
    log: LogOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    calibration: CalibrationOpt = None,
    audit: AuditOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Phonons, and the risk that they are wrong: bands, DOS, thermal properties, report.

    An interrupted run goes on where it was when the command is given again.
    """
    from platonic_ase.phonons import run_phonon

    atoms = read_input(structure, (1, 1, 1))
    files = OutputFiles(structure, "phonon", log, report)
    calc = wrap(
        calculator,
        layer,
        device,
        anchors,
        reference,
        on_warning,
        1,
        files.log,
        quiet,
        calibration,
        risk,
    )
    audit_first(audit, calc, structure, quiet)
    result = run_phonon(
        atoms,
        calc,
        supercell=supercell,
        displacement=displacement,
        mesh=mesh,
        relax=relax,
        fmax=fmax,
        json=json_file or files.path("json"),
        report=files.report,
        params=params or Path(f"{structure.stem}-phonopy_params.yaml"),
        corrected_params=corrected_params,
        store=files.path("parts"),
        progress=not quiet,
    )
    calc.close()
    typer.echo(result.describe())
    conclude(result)


def replay(
    trajectory: Annotated[Path, typer.Argument(help="Trajectory: anything that ase.io reads.")],
    calculator: CalculatorOpt = "chgnet",
    annotated: Annotated[
        Path | None, typer.Option(help="extxyz with per-atom diagnostics, for OVITO or ASE GUI.")
    ] = None,
    log: LogOpt = None,
    report: ReportOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    interval: IntervalOpt = 1,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    calibration: CalibrationOpt = None,
    quiet: QuietOpt = False,
) -> None:
    """The same diagnostics over a trajectory that exists already."""
    from platonic_ase.runs.replay import read_frames
    from platonic_ase.runs.replay import replay as run_replay

    frames = list(read_frames(trajectory))
    files = OutputFiles(trajectory, "replay", log, report)
    calc = wrap(
        calculator,
        layer,
        device,
        anchors,
        reference,
        on_warning,
        interval,
        files.log,
        quiet,
        calibration,
    )
    result = run_replay(frames, calc, annotated=annotated, report=files.report, progress=not quiet)
    conclude(result)


def report(
    log: Annotated[Path, typer.Argument(help="Run log of an earlier run, also of one killed.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file.  [default: LOG.html]")
    ] = None,
    run: Annotated[int, typer.Option(help="Which run of the log; -1 is the last.")] = -1,
    figures: Annotated[
        Path | None, typer.Option(help="Folder for the same as figures: PDF, SVG and PNG.")
    ] = None,
) -> None:
    """Make the HTML report of a run log."""
    from platonic_ase.report.report import write_report

    written = write_report(log, output or log.with_suffix(".html"), run=run, figures=figures)
    typer.echo(f"report: {written}")
    if figures is not None:
        typer.echo(f"figures: {figures}")
