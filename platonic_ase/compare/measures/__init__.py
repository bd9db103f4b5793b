"""Measures between the geometries of models: arrays in, numbers out.

Row i of every array is the same atom in every model; the columns may differ.
"""
