"""The structures of a run for chemiscope, which shows them in three dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

_PLAIN = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)

MOST_ATOMS = 20_000
"""In all structures of a page together; a browser turns no more of them smoothly."""


def atoms_of(record: Mapping[str, Any]) -> Atoms | None:
    """Build the structure of a record; None where positions are not finite."""
    from ase import Atoms

    stored = record["atoms"]
    try:
        atoms = Atoms(
            numbers=stored["numbers"],
            positions=np.array(stored["positions"], dtype=float),
            cell=np.array(stored["cell"], dtype=float),
            pbc=stored["pbc"],
        )
    except (KeyError, TypeError, ValueError):
        return None
    finite = np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()
    return atoms if finite and len(atoms) else None


def chosen(structures: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Atoms]]:
    """Choose the structures that a page shows: all, or evenly fewer where they are too large."""
    built = [(record, atoms) for record in structures if (atoms := atoms_of(record)) is not None]
    while len(built) > 2 and sum(len(atoms) for _, atoms in built) > MOST_ATOMS:
        del built[1:-1:2]
    return built if sum(len(atoms) for _, atoms in built) <= 2 * MOST_ATOMS else []


def dataset(shown: Sequence[tuple[Mapping[str, Any], Atoms]], name: str) -> dict[str, Any] | None:
    """Make the input of chemiscope: each atom with what the diagnostics say of it.

    Parameters
    ----------
    shown : sequence of (mapping, Atoms)
        Records and their structures.
    name : str

    Returns
    -------
    dict or None
        None where there is no structure.
    """
    if not shown:
        return None
    properties: dict[str, Any] = {
        "geometry": _atomwise(shown, lambda r, n: np.full(n, float(r["index"]))),
        "atom": _atomwise(shown, lambda r, n: np.arange(n, dtype=float)),
    }
    keys = dict.fromkeys(key for record, _ in shown for key in record.get("per_atom") or {})
    for key in keys:
        properties[key] = _atomwise(shown, lambda r, n, key=key: _values(r, key, n))
    properties["flagged"] = _atomwise(shown, _flagged)
    known = {key: values for key, values in properties.items() if values is not None}
    colour = next((n for n in ("extrapolation_score", "manifold_distance") if n in known), None)
    return make_dataset([atoms for _, atoms in shown], known, name, colour)


def make_dataset(
    frames: Sequence[Atoms], properties: Mapping[str, np.ndarray], name: str, colour: str | None
) -> dict[str, Any]:
    """Make the input of chemiscope.

    Parameters
    ----------
    frames : sequence of Atoms
    properties : mapping of str to ndarray, shape (n_atoms of all frames,)
        Names that are more than letters, digits and ``_`` are left out: a viewer puts names into
        its page.
    name : str
    colour : str or None
        Property that atoms are coloured by, unless it is the same for all.
    """
    import chemiscope

    kept = {key: values for key, values in properties.items() if _PLAIN.fullmatch(key)}
    varied = colour in kept and np.ptp(kept[colour]) > 0  # chemiscope cannot colour by a constant
    environments = [(k, i, 3.5) for k, atoms in enumerate(frames) for i in range(len(atoms))]
    if not kept:
        kept = {"atom": np.concatenate([np.arange(len(atoms), dtype=float) for atoms in frames])}
    made: dict[str, Any] = chemiscope.create_input(
        list(frames),
        properties={key: {"target": "atom", "values": values} for key, values in kept.items()},
        environments=environments,
        metadata={"name": re.sub(r"[^\w .-]", "?", name)},
        settings={
            "target": "atom",
            "structure": [
                {
                    "unitCell": True,
                    "bonds": False,
                    "spaceFilling": False,
                    "keepOrientation": True,
                    "environments": {"activated": False},
                    **({"color": {"property": colour, "palette": "viridis"}} if varied else {}),
                }
            ],
        },
    )
    return made


def axes(structures: Mapping[str, Any] | None) -> dict[str, str]:
    """Which two properties of atoms are drawn beside the structure."""
    known = (structures or {}).get("properties") or {}
    if "map_x" in known and "map_y" in known:
        return {"x": "map_x", "y": "map_y"}
    return {"x": "atom", "y": _first(known, "extrapolation_score", "manifold_distance")}


def _atomwise(shown: Sequence[tuple[Mapping[str, Any], Atoms]], of: Any) -> np.ndarray | None:
    parts = [of(record, len(atoms)) for record, atoms in shown]
    if any(part is None for part in parts):
        return None
    values = np.concatenate(parts)
    return values if np.isfinite(values).all() else None


def _values(record: Mapping[str, Any], key: str, n: int) -> np.ndarray | None:
    try:
        values = np.array((record.get("per_atom") or {}).get(key), dtype=float)
    except (TypeError, ValueError):
        return None
    return values if values.shape == (n,) else None


def _flagged(record: Mapping[str, Any], n: int) -> np.ndarray:
    values = np.zeros(n)
    inside = [i for i in record.get("flagged") or () if isinstance(i, int) and 0 <= i < n]
    values[inside] = 1.0
    return values


def _first(properties: Mapping[str, Any], *names: str) -> str:
    return next((n for n in names if properties.get(n) is not None), "geometry")
