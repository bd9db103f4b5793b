"""The platonic-ase command."""

from __future__ import annotations

import logging
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from platonic_ase.errors import PlatonicError, PlatonicWarning
from platonic_ase.workflows.compare.command import compare

app = typer.Typer(
    name="platonic-ase",
    help="Run simulations with a foundation potential under watch of its latent geometry.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
anchors_app = typer.Typer(help="Make and look at anchors.", no_args_is_help=True)
app.add_typer(anchors_app, name="anchors")


class OnWarning(StrEnum):
    """Policies of the command line."""

    WARN = "warn"
    STOP = "stop"
    RAISE = "raise"
    IGNORE = "ignore"


class EnsembleName(StrEnum):
    """Ensembles of the command line."""

    NVE = "nve"
    NVT = "nvt"
    NPT = "npt"


class Selection(StrEnum):
    """Ways to choose anchors."""

    DIRECT = "direct"
    FARTHEST_POINT = "farthest_point"


StructureArg = Annotated[
    Path, typer.Argument(help="Structure file: anything that ase.io.read reads.")
]
CalculatorOpt = Annotated[
    str, typer.Option("--calculator", "-c", help="Model; see 'platonic-ase models'.")
]
LayerOpt = Annotated[
    str | None, typer.Option(help="Layer to read; the encoder's first by default.")
]
DeviceOpt = Annotated[
    str | None, typer.Option(help="cpu, cuda, ...; the package's choice by default.")
]
AnchorsOpt = Annotated[str, typer.Option(help="'default' or an anchors file.", show_default=True)]
ReferenceOpt = Annotated[
    str, typer.Option(help="'default', 'none' or a reference file.", show_default=True)
]
PolicyOpt = Annotated[
    OnWarning, typer.Option("--on-warning", help="What a warning does to the run.")
]
IntervalOpt = Annotated[int, typer.Option(min=1, help="Diagnose every so many geometries.")]
LogOpt = Annotated[
    Path | None, typer.Option(help="Run log (JSON Lines).  [default: STRUCTURE-<command>.jsonl]")
]
ReportOpt = Annotated[
    Path | None, typer.Option(help="HTML report.  [default: STRUCTURE-<command>.html]")
]
SupercellOpt = Annotated[
    tuple[int, int, int], typer.Option(help="Repeat the cell along its three vectors.")
]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@app.command(
    epilog="Example: platonic-ase md NaCl.cif --calculator chgnet --temperature 600 --steps 500"
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
    quiet: QuietOpt = False,
) -> None:
    """Molecular dynamics under watch: trajectory, log and report."""
    from platonic_ase.workflows.md import run_md

    atoms = _read(structure, supercell)
    files = _Files(structure, "md", log, report)
    calc = _wrap(
        calculator, layer, device, anchors, reference, on_warning, interval, files.log, quiet
    )
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
    _conclude(result)


@app.command(epilog="Example: platonic-ase relax POSCAR --calculator chgnet --cell --fix-symmetry")
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
    quiet: QuietOpt = False,
) -> None:
    """Relaxation under watch: relaxed structure, trajectory, log and report."""
    from ase.io import write

    from platonic_ase.workflows.outputs import keep_previous
    from platonic_ase.workflows.relax import run_relaxation

    atoms = _read(structure, supercell)
    files = _Files(structure, "relax", log, report)
    calc = _wrap(
        calculator, layer, device, anchors, reference, on_warning, interval, files.log, quiet
    )
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
    _conclude(result)


@app.command(
    epilog="Example: platonic-ase phonon NaCl.cif --calculator chgnet --json NaCl.json "
    "--report NaCl.html"
)
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
    risk: Annotated[
        str, typer.Option(help="'default', 'none' or a phonon pack.", show_default=True)
    ] = "default",
    log: LogOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    quiet: QuietOpt = False,
) -> None:
    """Phonons, and the risk that they are wrong: bands, DOS, thermal properties, report.

    An interrupted run goes on where it was when the command is given again.
    """
    from platonic_ase.workflows.phonon import run_phonon

    atoms = _read(structure, (1, 1, 1))
    files = _Files(structure, "phonon", log, report)
    calc = _wrap(
        calculator, layer, device, anchors, reference, on_warning, 1, files.log, quiet, risk
    )
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
        store=files.path("parts"),
        progress=not quiet,
    )
    calc.close()
    typer.echo(result.describe())
    _conclude(result)


@app.command(
    epilog="Example: platonic-ase replay run.traj --calculator 7net-0 --report replay.html"
)
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
    quiet: QuietOpt = False,
) -> None:
    """The same diagnostics over a trajectory that exists already."""
    from platonic_ase.workflows.replay import read_frames
    from platonic_ase.workflows.replay import replay as run_replay

    frames = list(read_frames(trajectory))
    files = _Files(trajectory, "replay", log, report)
    calc = _wrap(
        calculator, layer, device, anchors, reference, on_warning, interval, files.log, quiet
    )
    result = run_replay(frames, calc, annotated=annotated, report=files.report, progress=not quiet)
    _conclude(result)


@app.command(epilog="Example: platonic-ase report run.jsonl --output run.html")
def report(
    log: Annotated[Path, typer.Argument(help="Run log of an earlier run, also of one killed.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file.  [default: LOG.html]")
    ] = None,
    run: Annotated[int, typer.Option(help="Which run of the log; -1 is the last.")] = -1,
) -> None:
    """Make the HTML report of a run log."""
    from platonic_ase.recording.report import write_report

    typer.echo(f"report: {write_report(log, output or log.with_suffix('.html'), run=run)}")


app.command(
    epilog="Example: platonic-ase compare my.xyz --calculators chgnet-0.3.0 7net-0 --report c.html"
)(compare)


@app.command()
def models() -> None:
    """What is installed, which encoder reads it, and which checkpoints work offline."""
    from platonic_ase.loading import format_models_table

    typer.echo(format_models_table())


@anchors_app.command(
    "build",
    epilog="Example: platonic-ase anchors build --calculator chgnet --structures mine.xyz "
    "--output mine.anchors.safetensors",
)
def anchors_build(
    calculator: CalculatorOpt = "chgnet",
    structures: Annotated[
        Path | None,
        typer.Option(help="Structures to choose from; the generated pool by default."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Anchors file; the reference goes beside it.")
    ] = Path("mine.anchors.safetensors"),
    n: Annotated[int, typer.Option("--number", "-k", min=1, help="How many anchors.")] = 100,
    method: Annotated[Selection, typer.Option(help="Selection.")] = Selection.DIRECT,
    centred: Annotated[
        bool, typer.Option("--centred", help="Subtract the mean before cosines.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of selection and split.")] = 0,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    quiet: QuietOpt = False,
) -> None:
    """Choose anchors among structures and make the reference manifold that goes with them."""
    from platonic_ase.calibration.defaults import GENERATED, build_custom_space
    from platonic_ase.calibration.pool import generate_pool
    from platonic_ase.encoders import find_encoder
    from platonic_ase.loading import load_calculator
    from platonic_ase.workflows.outputs import keep_previous
    from platonic_ase.workflows.replay import read_frames

    chosen = list(generate_pool() if structures is None else read_frames(structures))
    encoder = find_encoder(load_calculator(calculator, device=device), layer)
    made, reference = build_custom_space(
        encoder,
        chosen,
        n=n,
        method=method.value,
        centred=centred,
        seed=seed,
        source=GENERATED if structures is None else structures.name,
        progress=not quiet,
    )
    typer.echo(f"anchors: {made.save(keep_previous(output))}")
    if reference is None:
        typer.echo("reference: none (too few structures to calibrate; distances are uncalibrated)")
    else:
        beside = keep_previous(
            output.with_name(
                output.name.replace(".anchors", "").removesuffix(".safetensors")
                + ".reference.safetensors"
            )
        )
        typer.echo(f"reference: {reference.save(beside)}")


@anchors_app.command("show", epilog="Example: platonic-ase anchors show mine.anchors.safetensors")
def anchors_show(
    path: Annotated[
        Path | None, typer.Argument(help="Anchors file; those stored on this machine by default.")
    ] = None,
) -> None:
    """Say what anchors hold: model, layer, elements, origin."""
    from platonic_ase.calibration.defaults import cache_folder, packaged_folder
    from platonic_ase.space.anchors import AnchorSet

    paths = (
        [path]
        if path is not None
        else [
            found
            for folder in (packaged_folder(), cache_folder())
            for found in sorted(folder.glob("*.anchors.safetensors"))
        ]
    )
    if not paths:
        typer.echo("no anchors are stored yet; they are made on first use of a model")
    for each in paths:
        typer.echo(f"{each.name}\n{AnchorSet.load(each).describe()}\n")


def main() -> None:
    """Run the command; errors of this package end it with one line, not a traceback."""
    logging.getLogger("platonic_ase").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", category=PlatonicWarning)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except PlatonicError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_rest: Any) -> None:
    if issubclass(category, PlatonicWarning):
        from tqdm.auto import tqdm

        tqdm.write(f"{category.__name__}: {message}", file=sys.stderr)


class _Files:
    """Default names of what a command writes, from the name of its input."""

    def __init__(self, source: Path, command: str, log: Path | None, report: Path | None) -> None:
        self._stem = f"{source.stem}-{command}"
        self.log = log or self.path("jsonl")
        self.report = report or self.path("html")

    def path(self, suffix: str) -> Path:
        return Path(f"{self._stem}.{suffix}")


def _read(path: Path, supercell: tuple[int, int, int]) -> Any:
    from platonic_ase.structures import check_structure, read_structure

    atoms = read_structure(path)
    if supercell != (1, 1, 1):
        atoms = atoms.repeat(supercell)
    for problem in check_structure(atoms):
        typer.echo(f"warning: {problem}", err=True)
    return atoms


def _wrap(
    name: str,
    layer: str | None,
    device: str | None,
    anchors: str,
    reference: str,
    on_warning: OnWarning,
    interval: int,
    log: Path,
    quiet: bool,
    risk: str = "default",
) -> Any:
    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.loading import load_calculator

    return PlatonicCalculator(
        load_calculator(name, device=device),
        layer=layer,
        anchors=anchors,
        reference=None if reference == "none" else reference,
        on_warning=on_warning.value,
        interval=interval,
        log=log,
        phonon_risk=None if risk == "none" else risk,
        progress=not quiet,
    )


def _conclude(result: Any) -> None:
    typer.echo(f"{result.steps} steps, {result.ended}. {result.summary}")
    for role, path in result.files.items():
        typer.echo(f"{role}: {path}")
    if result.ended == "interrupted":
        raise typer.Exit(130)
