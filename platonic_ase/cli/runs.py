"""Commands that run something under watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.files import OutputFiles, conclude, read_input, save_figures
from platonic_ase.cli.options import (
    AuditOptions,
    DisplacementOpt,
    EnsembleName,
    FiguresOpt,
    ForceOpt,
    PressureOpt,
    RelaxFirstOpt,
    ReportOpt,
    RunOptions,
    SeedOpt,
    StepsOpt,
    StructureArg,
    SupercellOpt,
    ThermostatName,
    WatchOptions,
    within,
)
from platonic_ase.outputs import (
    check_outputs,
    keep_previous,
    require_writable_format,
    show_path,
    write_structure,
)
from platonic_ase.runs.trajectory import trajectory_kind

TrajectoryOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Frames: .traj, which is exact, or .xyz or .h5, with what was seen of every atom; "
        "INPUT-COMMAND.traj by default.",
    ),
]


def md(
    structure: StructureArg,
    run: RunOptions,
    audit: AuditOptions,
    temperature: Annotated[
        float, typer.Option("--temperature", "-t", help="Temperature, K.", callback=within(0, 1e5))
    ] = 300.0,
    steps: StepsOpt = 500,
    timestep: Annotated[
        float, typer.Option(help="Time step, fs.", callback=within(0, 100, above=True))
    ] = 2.0,
    ensemble: Annotated[
        EnsembleName, typer.Option(help="What is kept constant.")
    ] = EnsembleName.NVT,
    thermostat: Annotated[
        ThermostatName, typer.Option(help="Thermostat of nvt.")
    ] = ThermostatName.BUSSI,
    friction: Annotated[
        float,
        typer.Option(
            help="Friction of langevin; of the others, one over the relaxation time, 1/ps.",
            callback=within(0, 1e4, above=True),
        ),
    ] = 10.0,
    pressure: PressureOpt = 0.0,
    supercell: SupercellOpt = (1, 1, 1),
    trajectory: TrajectoryOpt = None,
    trajectory_interval: Annotated[int, typer.Option(min=1, help="Steps between frames.")] = 10,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Go on from the last frame of the trajectory (.traj), for --steps more.",
        ),
    ] = False,
    report: ReportOpt = None,
    seed: SeedOpt = None,
) -> None:
    """Molecular dynamics: trajectory, log and report."""
    from platonic_ase.runs.md import check_settings, last_frame, run_md

    check_settings(temperature, timestep, friction, pressure, ensemble.value)
    given = {"log": run.log, "report": report, "trajectory": trajectory}
    files = OutputFiles(structure, "md", run.inputs, given)
    begin = read_input(structure, supercell)
    atoms = last_frame(files["trajectory"]) if restart else begin
    if len(atoms) != len(begin):
        raise typer.BadParameter(
            f"{show_path(files['trajectory'])} has {len(atoms)} atoms and the structure "
            f"{len(begin)}; give the same structure and supercell as for the first run"
        )
    calc = run.watch(files["log"], supercell)
    if restart and run.ideal is None:
        calc.reset_reference(begin)
    audit.run(calc, structure, run.quiet)
    result = run_md(
        atoms,
        calc,
        temperature=temperature,
        steps=steps,
        timestep=timestep,
        ensemble=ensemble.value,
        thermostat=thermostat.value,
        friction=friction,
        pressure=pressure,
        trajectory=files["trajectory"],
        trajectory_interval=trajectory_interval,
        append=restart,
        report=files["report"],
        seed=seed,
        progress=not run.quiet,
    )
    conclude(result)


def relax(
    structure: StructureArg,
    run: RunOptions,
    audit: AuditOptions,
    fmax: ForceOpt = 0.02,
    steps: StepsOpt = 500,
    cell: Annotated[bool, typer.Option("--cell", help="Relax the cell as well.")] = False,
    pressure: PressureOpt = 0.0,
    fix_symmetry: Annotated[
        bool, typer.Option("--fix-symmetry", help="Keep the space group.")
    ] = False,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="Optimiser of ase.optimize.")
    ] = "FIRE",
    rattle: Annotated[
        float,
        typer.Option(
            help="First move all atoms at random by so much, Å: does it find back?",
            callback=within(0, 2),
        ),
    ] = 0.0,
    curvature: Annotated[
        bool,
        typer.Option(
            help="Look, once converged, whether symmetry kept the structure on a saddle point: "
            "some ten to twenty more passes."
        ),
    ] = True,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Leave a saddle point along its mode, and relax on."),
    ] = False,
    supercell: SupercellOpt = (1, 1, 1),
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Relaxed structure; INPUT-relaxed.xyz by default, with what was seen of every "
            "atom.",
        ),
    ] = None,
    trajectory: TrajectoryOpt = None,
    report: ReportOpt = None,
) -> None:
    """Relaxation of positions, or of the cell too.

    Leaves the relaxed structure, the trajectory, a log and a report.
    """
    from platonic_ase.runs.relax import OPTIMIZERS, run_relaxation

    if optimizer not in OPTIMIZERS:
        raise typer.BadParameter(f"{optimizer!r}; one of {', '.join(OPTIMIZERS)} is needed")
    if pressure and not cell:
        raise typer.BadParameter("a pressure needs --cell: it acts on the cell")
    given = {"log": run.log, "report": report, "trajectory": trajectory, "structure": output}
    files = OutputFiles(structure, "relax", run.inputs, given)
    require_writable_format(files["structure"])
    atoms = read_input(structure, supercell)
    calc = run.watch(files["log"], supercell)
    audit.run(calc, structure, run.quiet)
    if rattle:
        if run.ideal is None:
            calc.reset_reference(atoms)
        atoms.rattle(rattle, seed=0)
    result = run_relaxation(
        atoms,
        calc,
        fmax=fmax,
        steps=steps,
        cell=cell,
        pressure=pressure,
        fix_symmetry=fix_symmetry,
        optimizer=optimizer,
        curvature=curvature,
        follow=follow,
        trajectory=files["trajectory"],
        report=files["report"],
        progress=not run.quiet,
    )
    relaxed = keep_previous(files["structure"])
    if calc.diagnosis is not None:
        calc.annotate(atoms)
    write_structure(relaxed, atoms)
    conclude(result, structure=relaxed)


def phonon(
    structure: StructureArg,
    watch: WatchOptions,
    audit: AuditOptions,
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Repeat the cell along its three vectors.  [default: at least 10 Å wide, at most "
            "200 atoms]",
            show_default=False,
            callback=within(1, 100),
        ),
    ] = None,
    relax: RelaxFirstOpt = True,
    fmax: ForceOpt = 1e-3,
    displacement: DisplacementOpt = 0.03,
    mesh: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Wave vectors, centred on Γ.  [default: at least 9 9 9]",
            show_default=False,
            callback=within(1, 100),
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="All numbers.  [default: STRUCTURE-phonon.json]")
    ] = None,
    report: ReportOpt = None,
    figures: FiguresOpt = None,
    params: Annotated[
        Path | None,
        typer.Option(help="For phonopy.  [default: STRUCTURE-phonopy_params.yaml]"),
    ] = None,
    corrected_params: Annotated[
        Path | None,
        typer.Option(help="The same with the force constants of the estimated correction."),
    ] = None,
    born: Annotated[
        Path | None,
        typer.Option(help="BORN file of phonopy: the long-range part of a polar crystal."),
    ] = None,
    risk: Annotated[str, typer.Option(help="'default', 'none' or a phonon pack.")] = "default",
) -> None:
    """Phonons, and the risk that they are wrong.

    Bands, density of states, thermal properties, and a report.
    An interrupted run goes on where it was when the command is given again.
    """
    from platonic_ase.phonons import run_phonon

    given = {"log": watch.log, "report": report, "json": json_file, "phonopy": params}
    inputs = [*watch.inputs, *([] if born is None else [born])]
    files = OutputFiles(structure, "phonon", inputs, {**given, "folder": None})
    check_outputs({"phonopy:corrected": corrected_params, "folder": figures}, [structure, *inputs])
    atoms = read_input(structure)
    calc = watch.wrap(files["log"], risk=risk)
    audit.run(calc, structure, watch.quiet)
    result = run_phonon(
        atoms,
        calc,
        supercell=supercell,
        displacement=displacement,
        mesh=mesh,
        relax=relax,
        fmax=fmax,
        json=files["json"],
        report=files["report"],
        params=files["phonopy"],
        corrected_params=corrected_params,
        store=files["folder"],
        born=born,
        progress=not watch.quiet,
    )
    calc.close()
    if figures is not None:
        from platonic_ase.phonons.figures import drawings

        save_figures(drawings(result), figures)
    conclude(result)


def replay(
    trajectory: Annotated[Path, typer.Argument(help="Trajectory: anything that ase.io reads.")],
    run: RunOptions,
    annotated: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Frames with what was seen of every atom: .xyz, for OVITO and ASE GUI, or .h5.",
        ),
    ] = None,
    report: ReportOpt = None,
) -> None:
    """The same diagnostics over a trajectory that exists.

    Energies and forces are computed anew, by the model that is given here.
    """
    from platonic_ase.runs.replay import read_frames, require_frames
    from platonic_ase.runs.replay import replay as run_replay

    files = OutputFiles(trajectory, "replay", run.inputs, {"log": run.log, "report": report})
    if annotated is not None:
        check_outputs(
            {trajectory_kind(annotated, annotated=True): annotated}, [trajectory, *run.inputs]
        )
    require_frames(trajectory)
    calc = run.watch(files["log"])
    result = run_replay(
        read_frames(trajectory),
        calc,
        annotated=annotated,
        report=files["report"],
        progress=not run.quiet,
    )
    conclude(result)


def report(
    log: Annotated[Path, typer.Argument(help="Run log of an earlier run, also of one killed.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="HTML file; LOG.html by default."),
    ] = None,
    run: Annotated[int, typer.Option(help="Which run of the log; -1 is the last.")] = -1,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The same as figures for papers: PDF, SVG and PNG."),
    ] = None,
) -> None:
    """The report of a log, one HTML file."""
    from platonic_ase.report.report import write_report

    target = output or log.with_name(f"{log.stem}.html")
    check_outputs({"report": target, "folder": figures}, [log])
    written = write_report(log, keep_previous(target), run=run, figures=figures)
    typer.echo(f"report: {show_path(written)}")
    if figures is not None:
        typer.echo(f"figures: {show_path(figures)}")
