"""Runs of ASE under watch: molecular dynamics, relaxation, replay of a trajectory."""
