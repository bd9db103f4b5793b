"""What the geometry of the Platonic space says about a structure."""
