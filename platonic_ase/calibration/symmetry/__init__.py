"""Forecasts of broken symmetry, from crystals that were followed."""
