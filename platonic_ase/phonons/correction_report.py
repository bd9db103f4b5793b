"""The section of a phonon report on the estimated correction."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.phonons.corrected import WHAT
from platonic_ase.phonons.spectrum import Spectrum
from platonic_ase.report.html import number, table

if TYPE_CHECKING:
    from platonic_ase.phonons.result import PhononResult


def correction_section(result: PhononResult) -> str:
    """What the calibration makes of the spectrum, in numbers, or why it says nothing.

    Parameters
    ----------
    result : PhononResult
    """
    corrected, raw = result.corrected, result.spectrum
    if corrected is None or raw is None:
        return ""
    said = escape(corrected.describe())
    if not corrected.spectra:
        return f"<section>\n<h2>Estimated correction</h2>\n<p>{said}</p>\n</section>"
    at = int(np.argmin(np.abs(raw.temperatures - 300)))
    quantities: dict[str, Callable[[Spectrum], float]] = {
        "Mean frequency (THz)": lambda s: s.mean,
        "Highest frequency (THz)": lambda s: float(s.quantiles[-1]),
        "Free energy at 300 K (kJ/mol)": lambda s: float(s.free_energy[at]),
        "Entropy at 300 K (J/K/mol)": lambda s: float(s.entropy[at]),
        "Heat capacity at 300 K (J/K/mol)": lambda s: float(s.heat_capacity[at]),
    }
    rows = []
    for name, value in quantities.items():
        low, mid, high = sorted(value(spectrum) for spectrum in corrected.spectra.values())
        rows.append(
            [
                escape(name),
                number(value(raw), 4),
                number(mid, 4),
                f"{number(low, 4)} to {number(high, 4)}",
            ]
        )
    return (
        f"<section>\n<h2>{WHAT}</h2>\n"
        f"<p>{said}. The factor is predicted from the displaced supercells; its band held the best "
        "factor of 90 % of the crystals that the fit had not seen. It mends no imaginary mode and "
        "no wrong shape of the spectrum. No file for phonopy contains it unless asked for.</p>\n"
        + table((("", "k"), ("Model", "n"), ("Corrected", "n"), ("90 % band", "n")), rows)
        + f'<p class="muted">Calibration: {escape(corrected.estimate.calibration)}.</p>\n'
        "</section>"
    )
