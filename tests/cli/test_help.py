"""The help of every command: readable at 80 columns, with examples that exist."""

import re

import pytest
from typer.testing import CliRunner

from platonic_ase.cli import app
from platonic_ase.cli.examples import EXAMPLES

runner = CliRunner()


def shown(*arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    done = runner.invoke(app, [*arguments, "--help"])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_of_commands_is_not_cut_short(monkeypatch):
    text = shown(monkeypatch=monkeypatch)
    listed = re.findall(r"^  (\w+) +(\S.*)$", text.partition("Commands:")[2], re.MULTILINE)
    assert {name for name, _ in listed} == {name.split()[0] for name in EXAMPLES}
    for name, said in listed:
        assert said.endswith((".", "?")), f"{name}: {said}"
        assert not said.endswith("..."), f"{name}: {said}"


@pytest.mark.parametrize("command", EXAMPLES)
def test_help_has_examples_whose_options_exist(command, monkeypatch):
    text = shown(*command.split(), monkeypatch=monkeypatch)
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert text.count("\n    platonic-ase ") == len(EXAMPLES[command])
    options = text.partition("Examples:")[0]
    for typed, _ in EXAMPLES[command]:
        assert typed.startswith(command)
        assert f"    platonic-ase {typed}\n" in text
        for option in re.findall(r"(?<= )--?[a-z][a-z-]*", typed):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", options), f"{option} of {typed}"


@pytest.mark.parametrize("command", EXAMPLES)
def test_every_option_is_explained(command, monkeypatch):
    text = shown(*command.split(), monkeypatch=monkeypatch).partition("Options:")[2]
    rows = re.split(r"\n  (?=-)", text.partition("\n  Examples:")[0].rstrip())
    for row in rows[1:] if not rows[0].strip() else rows:
        said = re.sub(r"\[.*?\]", "", row.replace("\n", " ")).split("  ")
        assert len(" ".join(said[1:]).split()) >= 2, f"{command}: {row}"
