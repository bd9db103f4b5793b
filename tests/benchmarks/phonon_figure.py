"""The figure of the README: phonon errors foretold, and what the correction makes of them.

    python tests/benchmarks/phonon_figure.py PHONONDB_PBE_73.json --output phonons.png

PHONONDB_PBE_73.json holds the 17 quantiles of the DFT spectra. Each crystal is predicted by a fit
to crystals of other anions; see ``phonon_risk.py`` and ``phonon_correction.py``.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from phonon_correction import distances
from phonon_risk import TABLE

from platonic_ase.calibrate.materials import read_materials
from platonic_ase.phonons.estimate import ERROR_THRESHOLD
from platonic_ase.phonons.scores import auroc, leave_anions_out
from platonic_ase.phonons.table import PhononTable, read_phonon_table
from platonic_ase.report.plots.style import ALARM, BLUE, GREY, new_figure, styled

MODEL = "chgnet-0.3.0"
NAMED = ("BP zincblende", "PbS rocksalt", "PbTe rocksalt")


def foretold(axes: Axes, table: PhononTable, predicted: np.ndarray) -> None:
    """Predicted against true relative errors."""
    true, limit = 100 * table.relative_errors, 100 * ERROR_THRESHOLD
    large = true > limit
    for rows, colour, marker, label in (
        (large, ALARM, "o", f"error above {limit:.0f} % ({large.sum()})"),
        (~large, BLUE, "s", f"error below ({(~large).sum()})"),
    ):
        axes.plot(true[rows], predicted[rows], marker, color=colour, ms=4, label=label, alpha=0.8)
    top = 1.05 * max(true.max(), predicted.max())
    axes.plot([0, top], [0, top], color=GREY, lw=0.8)
    axes.axvline(limit, color=GREY, lw=0.8, ls=":")
    for k, row in enumerate(table.rows):
        if row.key in NAMED:
            axes.annotate(
                row.formula, (true[k], predicted[k]), xytext=(6, -9), textcoords="offset points",
                fontsize=8,
            )  # fmt: skip
    axes.set(
        xlim=(0, top), ylim=(0, top),
        xlabel="error of the phonon spectrum against DFT (%)",
        ylabel="foretold from displaced supercells (%)",
    )  # fmt: skip
    axes.set_title(f"AUROC {auroc(large, predicted):.3f}, {len(table)} crystals")
    axes.legend(loc="lower right")


def corrected(axes: Axes, raw: np.ndarray, mended: np.ndarray) -> None:
    """Distances from the DFT spectra, the model's own and corrected, crystals in order."""
    order = np.argsort(raw)
    rank = np.arange(1, len(raw) + 1)
    for values, colour, marker, label in (
        (raw, ALARM, "o", "as computed"),
        (mended, BLUE, "s", "corrected"),
    ):
        axes.plot(
            rank, values[order], marker, color=colour, ms=3.5, alpha=0.8,
            label=f"{label}, mean {values.mean():.2f} THz",
        )  # fmt: skip
    axes.vlines(rank, mended[order], raw[order], color=GREY, lw=0.5, zorder=0)
    axes.set(xlabel="crystals, by error", ylabel="distance from the DFT spectrum, W1 (THz)")
    axes.set_ylim(bottom=0)
    axes.set_title("the same crystals, one factor each")
    axes.legend(loc="upper left")


@styled
def draw(table: PhononTable, predicted: np.ndarray, raw: np.ndarray, mended: np.ndarray) -> Figure:
    """Both panels; errors in %, distances in THz."""
    figure = new_figure(3.9)
    left, right = figure.subplots(1, 2)
    foretold(left, table, predicted)
    corrected(right, raw, mended)
    figure.suptitle("CHGNet 0.3.0, the anion of each crystal left out of the fit", fontsize=10)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra", type=Path, help="DFT spectra")
    parser.add_argument("--output", type=Path, default=Path("phonons.png"))
    options = parser.parse_args()
    truth = {f"{m.formula} {m.prototype}": m.truth for m in read_materials(options.spectra)}
    table = read_phonon_table(TABLE)[MODEL]
    spectra = np.array([truth[row.key] for row in table.rows])
    out = leave_anions_out(table)
    draw(
        table,
        100 * np.clip(out.root_error, 0, None) ** 2,
        distances(table, spectra, np.ones(len(table))),
        distances(table, spectra, np.exp(out.log_factor)),
    ).savefig(options.output, dpi=150)


if __name__ == "__main__":
    main()
