"""The Platonic space: arrays in, arrays out."""
