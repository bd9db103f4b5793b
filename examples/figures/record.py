"""Record the pictures of the README: a run in the terminal, its report, and a screening.

``python examples/figures/record.py [FOLDER]`` runs molecular dynamics of hot rock salt and a small
screening with CHGNet in FOLDER, a temporary one by default, and writes ``terminal.svg``,
``report.png`` and ``screening.png`` beside this file. What is in FOLDER already is not computed
again. Needs ``platonic_ase[chgnet,screen]``, ``selenium``, ``chromium`` and ``chromedriver``.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.io import write
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from PIL import Image
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from selenium import webdriver

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator
from platonic_ase.report.columns import read_columns
from platonic_ase.report.report import write_report
from platonic_ase.report.terminal import panel
from platonic_ase.screen import conclude_screening, screen

HERE = Path(__file__).resolve().parent
STEPS, SHOWN_AT, TEMPERATURE = 400, 300, 1500
LARGEST = 300_000  # bytes of a picture


def run_under_watch(log: Path) -> None:
    """Hot rock salt; the panel is recorded on the way, as the command shows it."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((2, 2, 2))
    atoms.calc = PlatonicCalculator(load_calculator("chgnet"), log=log)
    rng = np.random.default_rng(0)
    thermalize_momenta(atoms, TEMPERATURE, rng=rng)
    Stationary(atoms)
    dynamics = Bussi(atoms, 2 * units.fs, TEMPERATURE, taut=100 * units.fs, rng=rng)
    atoms.calc.attach(dynamics)
    start = time.monotonic()

    def record() -> None:
        if dynamics.nsteps != SHOWN_AT:
            return
        console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
        console.print(
            panel(
                read_columns(log)[-1],
                Path(log.name),
                label=f"NVT {TEMPERATURE} K",
                done=dynamics.nsteps,
                total=STEPS,
                elapsed=time.monotonic() - start,
            )
        )
        text = console.export_svg(
            title=f"platonic-ase md NaCl.cif -t {TEMPERATURE} -n {STEPS} --supercell 2 2 2",
            code_format=without_remote_fonts(CONSOLE_SVG_FORMAT),
        )
        (HERE / "terminal.svg").write_text(text, encoding="utf-8")

    dynamics.attach(record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dynamics.run(STEPS)
    atoms.calc.close()


def without_remote_fonts(template: str) -> str:
    """The template of rich for SVG, with the monospaced font of the reader's machine."""
    local = re.sub(r"@font-face \{\{.*?\}\}", "", template, flags=re.DOTALL)
    return local.replace("Fira Code, monospace", "monospace")


def screen_salts(folder: Path) -> None:
    """Rock salts, from what they are to stretched by a third."""
    crystals = []
    for name, a in {"NaCl": 5.64, "KBr": 6.60, "LiF": 4.03, "MgO": 4.21, "CaO": 4.81}.items():
        for stretch in np.linspace(0.9, 1.35, 10):
            atoms = bulk(name, "rocksalt", a=a * stretch, cubic=True)
            atoms.rattle(0.05, seed=len(crystals))
            crystals.append(atoms)
    write(folder / "salts.xyz", crystals)
    screen(folder / "salts.xyz", "chgnet", output=folder / "screening", progress=False)


def photograph(page: Path, picture: Path, height: int) -> None:
    """A page in headless Chromium at 1300 pixels, as a PNG of few colours."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for each in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{each}")
    options.add_argument(f"--window-size=1300,{height}")
    options.add_argument("--enable-unsafe-swiftshader")  # three dimensions without a graphics card
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    try:
        browser.get(page.resolve().as_uri())
        time.sleep(20)
        data = browser.get_screenshot_as_png()
    finally:
        browser.quit()
    image = Image.open(io.BytesIO(data)).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    image.save(picture, optimize=True)
    if picture.stat().st_size > LARGEST:
        raise SystemExit(f"{picture}: {picture.stat().st_size} bytes; at most {LARGEST}")


def main(folder: Path) -> None:
    """Compute what is missing, and take the pictures."""
    folder.mkdir(exist_ok=True)
    log = folder / "run.jsonl"
    if not log.exists():
        run_under_watch(log)
    photograph(write_report(log, folder / "run.html"), HERE / "report.png", 1100)
    if not (folder / "screening").exists():
        screen_salts(folder)
    photograph(conclude_screening(folder / "screening")["summary"], HERE / "screening.png", 1000)
    for name in ("terminal.svg", "report.png", "screening.png"):
        print(name, (HERE / name).stat().st_size, "bytes")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
