"""The schemas of the packs that hold a model's space."""

from __future__ import annotations

from platonic_ase.space.schema import (
    ArraySchema,
    PackSchema,
    identity,
    mapping,
    mapping_of,
    number,
    text,
)

ANCHORS = PackSchema(
    arrays={
        "embeddings": ArraySchema(("K", "d")),
        "numbers": ArraySchema(("K",), "i", 1, 118),
        "centre": ArraySchema(("d",), required=False),
    },
    header={"identity": identity, "provenance": mapping},
)
REFERENCE = PackSchema(
    arrays={
        "platonic": ArraySchema(("M", "K"), low=-1.001, high=1.001),
        "numbers": ArraySchema(("M",), "i", 1, 118),
        "elements": ArraySchema(("n",), "i", 1, 118),
        "thresholds": ArraySchema(("n",), low=1e-12),
        "counts": ArraySchema(("n",), "i", 0, 1e12),
    },
    header={
        "identity": identity,
        "anchors": text,
        "pooled_threshold": number(0, above=True),
        "alarm": number(0, above=True),
        "level": number(0, 1, above=True),
        "alarm_level": number(0, 1, above=True),
        "provenance": mapping,
    },
)
EMBEDDINGS = PackSchema(
    arrays={
        "embeddings": ArraySchema(("n", "d")),
        "numbers": ArraySchema(("n",), "i", 0, 118),
        "structures": ArraySchema(("n",), "i", 0, 1e12),
    },
    header={"identity": identity, "source": mapping, "failures": mapping_of(text)},
)
