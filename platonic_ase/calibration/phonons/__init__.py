"""Risks and corrections of phonons, from crystals with known spectra."""
