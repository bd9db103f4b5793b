"""Symmetry in the live path: orbits of a space group, relaxations, molecular dynamics."""
