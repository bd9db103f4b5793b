"""Safe array files: safetensors with a JSON header, written atomically, validated on reading."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.errors import SpaceFileError
from platonic_ase.outputs import write_atomically
from platonic_ase.space.json_text import parse_json
from platonic_ase.space.schema import PackSchema

FORMAT_VERSION = 1
_KEY = "platonic_ase"


def write_arrays(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, np.ndarray],
    header: Mapping[str, Any],
) -> Path:
    """Write named arrays and a JSON header to a safetensors file, atomically.

    Parameters
    ----------
    path : path-like
        Where to write; folders are made.
    kind : str
        What the file holds, such as ``"anchors"``; checked on reading.
    arrays : mapping of str to ndarray
        The arrays; any shape, any dtype that safetensors knows.
    header : mapping
        JSON-safe description: model, provenance, licence, ...

    Returns
    -------
    Path
        The path written.
    """
    from safetensors.numpy import save

    full = {
        "format": FORMAT_VERSION,
        "kind": kind,
        "written_by": f"platonic_ase {__version__}",
        **header,
    }
    data = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata={_KEY: json.dumps(full)},
    )
    return write_atomically(path, data)


def read_arrays(
    path: str | os.PathLike[str], kind: str, schema: PackSchema | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file of :func:`write_arrays`.

    Parameters
    ----------
    path : path-like
        The file.
    kind : str
        What it has to hold.
    schema : PackSchema, optional
        What its arrays and its header have to be.

    Returns
    -------
    arrays : dict of str to ndarray
    header : dict

    Raises
    ------
    SpaceFileError
        If the file is missing, truncated, not safetensors, of another kind or format, does not
        follow the schema, or holds a value that is not finite.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    remedy = "make it anew with 'platonic-ase anchors build'"
    if not path.is_file():
        raise SpaceFileError(f"no {kind} file at {path}; {remedy}")
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata = handle.metadata() or {}
            arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SpaceFileError(
            f"{path} is not a readable safetensors file ({error}): truncated, or of another "
            f"format; {remedy}"
        ) from error
    try:
        header = parse_json(metadata[_KEY])
        if not isinstance(header, dict):
            raise ValueError(f"a header of type {type(header).__name__}")
    except (KeyError, ValueError, RecursionError) as error:  # no header, or no JSON
        raise SpaceFileError(
            f"{path} has no platonic_ase header: it was written by another program; {remedy}"
        ) from error
    if header.get("kind") != kind:
        raise SpaceFileError(f"{path} holds {header.get('kind')!r}; a file of {kind!r} is needed")
    if header.get("format") != FORMAT_VERSION:
        raise SpaceFileError(
            f"{path} has format version {header.get('format')!r}; this version of platonic_ase "
            f"reads {FORMAT_VERSION}; {remedy}"
        )
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int(np.size(array) - np.isfinite(array).sum())
            raise SpaceFileError(
                f"{path}: array {name!r} has {bad} values that are not finite; {remedy}"
            )
    problem = None if schema is None else schema.problem(arrays, header)
    if problem is not None:
        raise SpaceFileError(f"{path} makes no sense: {problem}; {remedy}")
    return arrays, header
