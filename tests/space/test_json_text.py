"""JSON from anyone is read or refused, whatever limit of recursion a library has set."""

import subprocess
import sys

import pytest

from platonic_ase.space.json_text import DEEPEST, parse_json


def test_what_is_not_deep_is_read():
    assert parse_json(b'{"a": [1, {"b": "]]]"}], "c": NaN}')["a"] == [1, {"b": "]]]"}]
    text = "[" * DEEPEST + "]" * DEEPEST
    assert str(parse_json(text)).replace(" ", "") == text


@pytest.mark.parametrize("text", ["[" * (DEEPEST + 1), '{"a":' * 10**6, "[1", b"\xff", ""])
def test_what_is_deep_or_broken_is_refused(text):
    with pytest.raises(ValueError, match=r"deep|delimiter|decode|Expecting"):
        parse_json(text)


def test_deep_nesting_kills_no_process_whose_limit_was_raised():
    script = (
        "import sys; sys.setrecursionlimit(10**8)\n"
        "from platonic_ase.space.json_text import parse_json\n"
        "try: parse_json('[' * 10**6)\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0
    assert "levels deep" in run.stdout
