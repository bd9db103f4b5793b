"""Run the examples as notebooks, and take their pictures.

``python examples/notebooks/build.py [NAME ...]`` reads the percent scripts of the folder above,
runs them in an empty folder each, and writes ``NAME.ipynb`` and its last picture, ``NAME.png``,
here. What went to standard error is left out: it names paths of the machine.

Needs ``jupytext``, ``nbclient`` and ``ipykernel``, what the examples need, and a minute
or two each.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent
EXAMPLES = HERE.parent
NAMES = (
    "md",
    "relaxation",
    "phonons",
    "phonopy_loop",
    "neb",
    "own_model",
    "compare",
    "paper_figures",
    "colour_atoms",
)
LARGEST = 500_000  # bytes of a notebook


def build(name: str) -> None:
    """Run one example and write its notebook and its picture."""
    notebook = jupytext.read(EXAMPLES / f"{name}.py")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=3600,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute()
    seconds = time.monotonic() - start
    picture = None
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{number}"  # the same in every run
        if cell.cell_type != "code":
            continue
        cell.outputs = [
            output
            for output in cell.outputs
            if not (output.output_type == "stream" and output.name == "stderr")
        ]
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                picture = _few_colours(base64.b64decode(data["image/png"]))
                data["image/png"] = base64.b64encode(picture).decode()
    if picture is None:
        raise SystemExit(f"{name}: no picture")
    text = nbformat.writes(notebook)
    if len(text.encode()) > LARGEST:
        raise SystemExit(f"{name}: {len(text)} bytes; at most {LARGEST}")
    (HERE / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
    (HERE / f"{name}.png").write_bytes(picture)
    print(f"{name}: {seconds:.0f} s, {len(text) // 1000} kB", flush=True)


def _few_colours(png: bytes) -> bytes:
    """The same picture with 128 colours: a third of the size."""
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


if __name__ == "__main__":
    os.environ.pop("MPLBACKEND", None)  # the kernel's own, which puts pictures into cells
    for each in sys.argv[1:] or NAMES:
        build(each)
