"""Bounds of the force error, from structures with known forces."""
