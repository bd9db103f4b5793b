import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def write_log(tmp_path):
    """Write records to a log, its last ``cut`` characters missing."""

    def write(*records: dict[str, Any], cut: int = 0) -> Path:
        text = "".join(json.dumps(record) + "\n" for record in records)
        path = tmp_path / "run.jsonl"
        path.write_text(text[: len(text) - cut], encoding="utf-8")
        return path

    return write
