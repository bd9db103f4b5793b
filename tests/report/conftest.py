from pathlib import Path
from typing import Any

import pytest
from synthetic import lines


@pytest.fixture
def write_log(tmp_path):
    """Write records to a log, its last ``cut`` characters missing."""

    def write(*records: dict[str, Any], cut: int = 0) -> Path:
        text = lines(*records)
        path = tmp_path / "run.jsonl"
        path.write_text(text[: len(text) - cut], encoding="utf-8")
        return path

    return write
