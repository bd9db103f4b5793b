"""Negative controls: an architecture without what it has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platonic_ase.errors import ComparisonError

if TYPE_CHECKING:
    import torch

RANDOM = "*random"
"""Ending of the name of a model whose weights are shuffled, as in ``"7net-0*random"``."""
_IN_FILES = "-random"


def shuffle_weights(model: torch.nn.Module, seed: int = 0) -> None:
    """Permute the entries of every parameter of a model, in place.

    Each tensor keeps its distribution, so that activations keep their size, and loses all else:
    a stricter control than a fresh initialisation, whose scale differs too.

    Parameters
    ----------
    model : torch.nn.Module
    seed : int
        Of the permutations.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            flat = parameter.detach().cpu().reshape(-1)
            order = torch.randperm(flat.numel(), generator=generator)
            parameter.copy_(flat[order].reshape(parameter.shape))


def load_model(name: str, *, device: str | None = None) -> Any:
    """Open a calculator by name; one that ends in ``*random`` gets shuffled weights.

    Parameters
    ----------
    name : str
        As for :func:`platonic_ase.models.load_calculator`.
    device : str, optional

    Raises
    ------
    ComparisonError
        If weights are to be shuffled and the model has none.
    """
    from platonic_ase import models
    from platonic_ase.models import find_encoder

    base, _, _ = name.partition(RANDOM)
    calculator = models.load_calculator(base, device=device)
    if name.endswith(RANDOM):
        model = getattr(find_encoder(calculator), "model", None)
        if model is None or not hasattr(model, "parameters"):
            raise ComparisonError(
                f"{base} has no weights that can be shuffled: its encoder names no torch model; "
                f"compare {base} itself, or another model with {RANDOM}"
            )
        shuffle_weights(model)
    return calculator


def is_control(name: str) -> bool:
    """Whether a model's name, or that of its embedding file, says that its weights are random."""
    return name.endswith((RANDOM, _IN_FILES))
