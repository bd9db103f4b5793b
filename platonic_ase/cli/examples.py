"""Examples at the end of each command's help: what is typed, and what that does."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "md": (
        ("md NaCl.cif -t 600 -n 500 --supercell 2 2 2", "500 steps at 600 K with CHGNet"),
        ("md NaCl.cif -c 7net-0 --trajectory hot.xyz", "frames to colour in OVITO"),
        ("md NaCl.cif --on-warning stop", "ends at the first warning"),
        ("md NaCl.cif -n 1000 --restart", "1000 steps more"),
    ),
    "relax": (
        ("relax POSCAR --cell --fix-symmetry", "cell and positions, space group kept"),
        ("relax BaTiO3.cif --rattle 0.01", "is the symmetric structure stable?"),
        ("relax CsPbI3.cif --cell --follow", "off the saddle point that symmetry holds it on"),
    ),
    "phonon": (
        ("phonon Si.cif", "bands, density of states, and the risk that they are wrong"),
        ("phonon Si.cif --supercell 3 3 3 --no-relax", "of the structure as it is"),
    ),
    "forecast": (("forecast SrTiO3.cif", "will it break, how, and towards which subgroup?"),),
    "screen": (
        ("screen my.xyz cifs/ --task relax --cell -o screening --top 100", "100 for DFT"),
        ("screen my.xyz -o screening --scheduler tcp://HOST:8786", "on a Dask cluster"),
    ),
    "replay": (
        ("replay run.traj -c 7net-0", "what another model sees in a run that exists"),
        ("replay XDATCAR --annotated seen.xyz", "frames to colour in OVITO"),
    ),
    "watch": (
        ("watch run.jsonl", "in the terminal, also over ssh"),
        ("watch run.jsonl --serve", "in the browser"),
        ("watch .", "all runs of a folder"),
    ),
    "report": (
        ("report run.jsonl", "run.html, also of a run that was killed"),
        ("report run.jsonl --figures figures", "PDF, SVG and PNG besides"),
    ),
    "compare": (
        ("compare my.xyz --calculators chgnet-0.3.0 7net-0", "two models of one environment"),
        ("compare my.xyz -c chgnet --embed-only --folder mine", "first half, in each environment"),
        ("compare my.xyz --embeddings mine/*.safetensors b.safetensors", "second half"),
    ),
    "embed": (("embed my.xyz -c 7net-0 -o my.safetensors", "all atoms of all structures"),),
    "audit": (
        ("audit Si.cif", "CHGNet on diamond"),
        ("audit Si.cif -c orb-v3-direct-inf-omat --report audit.html", "with a page"),
    ),
    "doctor": (
        ("doctor", "is CHGNet as it is installed here sound?"),
        ("doctor -c mace-mp-0-small --model-path weights.model", "weights of a file"),
    ),
    "calibrate": (
        ("calibrate -c 7net-0 --data frames.xyz -o mine", "from frames with DFT forces"),
        ("calibrate -c 7net-0 --quick", "how wrong are its phonons? minutes"),
    ),
    "models": (("models", "names for --calculator, what is installed, licences"),),
    "anchors build": (
        ("anchors build --structures my.xyz -o my.anchors.safetensors", "100 of them"),
    ),
    "anchors show": (
        ("anchors show", "all that are stored on this machine"),
        ("anchors show my.anchors.safetensors", "those of a file"),
    ),
}


def epilog(command: str) -> str:
    r"""The examples of a command, a line each with a line below; ``\b`` keeps them as they are."""
    lines = [f"  platonic-ase {typed}\n      {meaning}" for typed, meaning in EXAMPLES[command]]
    return "\b\nExamples:\n" + "\n".join(lines)
