"""Groups of options that several commands share: written once, as dataclasses.

A command takes a group as one argument; the shell sees one option for each of its fields.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def flatten(command: Callable[..., None]) -> Callable[..., None]:
    """The same command with the fields of its groups of options for arguments, for Typer.

    The command's own options come first in its help, those of the groups after them.

    Parameters
    ----------
    command : callable
        Arguments annotated with a dataclass are groups. The fields of a group are annotated like
        arguments of a Typer command, and all have defaults.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    shared: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=kind, kind=_KEYWORD))
            continue
        assert isinstance(kind, type)
        of_group = get_type_hints(kind, include_extras=True)
        groups[name] = (kind, [each.name for each in fields(kind)])
        shared += [
            inspect.Parameter(
                each.name,
                _KEYWORD,
                annotation=of_group[each.name],
                default=each.default if each.default is not MISSING else inspect.Parameter.empty,
            )
            for each in fields(kind)
        ]
    parameters += shared

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        gathered = {
            name: kind(**{each: values.pop(each) for each in names})
            for name, (kind, names) in groups.items()
        }
        command(**values, **gathered)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {each.name: each.annotation for each in parameters}
    del flat.__wrapped__
    return flat


_KEYWORD = inspect.Parameter.KEYWORD_ONLY
