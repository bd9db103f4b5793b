"""Plotly and chemiscope as they come with their Python packages, packed into a page."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Library(NamedTuple):
    """A script: its text, and the same packed for a page."""

    name: str
    text: str
    packed: str


@cache
def library(name: str) -> Library:
    """Read and pack ``"plotly"`` or ``"chemiscope"``."""
    if name == "plotly":
        source = files("plotly") / "package_data" / "plotly.min.js"
    else:
        source = files("chemiscope") / "sphinx" / "static" / "chemiscope.min.js"
    # as a browser hands it back: line ends of a text are those of the file
    text = source.read_bytes().decode("utf-8")
    packed = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    return Library(name, text, base64.b64encode(packed).decode("ascii"))
