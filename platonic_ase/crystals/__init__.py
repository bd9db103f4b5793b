"""Crystals that the package generates: prototypes, volumes from radii, families, the pool."""
