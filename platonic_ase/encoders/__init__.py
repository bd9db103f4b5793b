"""Where each potential keeps its per-atom embeddings, one file per package."""
