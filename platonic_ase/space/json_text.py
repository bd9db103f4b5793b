"""Reading JSON from files that anyone may have written."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

DEEPEST = 100
"""Levels of nesting that are read; what the package writes has six."""

_BRACKETS = re.compile(r"[\[{\]}]")


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says; nesting is limited, so that no text ends the process.

    Python's own parser recurses without a limit of its own: where a library has raised the limit
    of the interpreter, as symfc does, deep nesting overflows the stack and kills the process.
    Brackets within strings count as well.

    Parameters
    ----------
    text : str or bytes
        JSON, in UTF-8 if bytes.

    Returns
    -------
    Any
        Dictionaries, lists, strings, numbers, booleans and None.

    Raises
    ------
    ValueError
        If the text is no JSON, no UTF-8, or nested deeper than 100 levels.
    """
    if isinstance(text, bytes):
        text = text.decode()
    steps = (1 if found.group() in "[{" else -1 for found in _BRACKETS.finditer(text))
    if any(level > DEEPEST for level in accumulate(steps)):
        raise ValueError(f"JSON nested more than {DEEPEST} levels deep")
    return json.loads(text)
