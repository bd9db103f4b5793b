"""Crystals made from prototypes: every element in many environments."""
