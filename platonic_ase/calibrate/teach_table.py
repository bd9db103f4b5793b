r"""The table of pupils' phonon errors, from the files of :mod:`~platonic_ase.calibrate.teach`.

::

    python -m platonic_ase.calibrate.teach_table work/nequix-mp-1-pft work/chgnet-0.3.0 \
        work/7net-0 -o table.json
    python -m platonic_ase.calibrate.teach_table table.json work/7net-l3i5 -o table.json
    python -m platonic_ase.calibrate.teach_table table.json more/7net-0 -o table.json \
        --teacher more/nequix-mp-1-pft
    python -m platonic_ase.calibrate.teach_table work/nequix-mp-1-pft work/chgnet-0.3.0 \
        --unstable -o unstable.json

The second command adds a pupil to a table, the third other crystals. The fourth is a table of what
pupils say of crystals that the teacher finds unstable (``teach --unstable``). A table is what
:func:`~platonic_ase.phonons.table.read_phonon_table` reads, with the spectra of the teacher in a
column of their own, and with the crystals that are left out, by the reason.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.calibrate.candidates import FLAT
from platonic_ase.calibrate.crystal_phonons import SETTINGS
from platonic_ase.calibrate.teach import stable
from platonic_ase.outputs import write_atomically
from platonic_ase.phonons.chemistry import ELECTRONEGATIVITY
from platonic_ase.phonons.features import DisplacementFeatures
from platonic_ase.phonons.spectra import best_log_factor, relative_error
from platonic_ase.phonons.table import PhononRow
from platonic_ase.space.json_text import parse_json

_METHOD = {
    "truth": "the teacher, a potential, not DFT",
    "relaxation": "cell and positions, space group kept, by each model itself, a pupil from the "
    "minimum of the teacher",
    "supercells": "the same for teacher and pupil; symmetric displacements of phonopy, finite "
    "differences, force constants symmetrised",
    "mesh": "9x9x9 for at most ten atoms in the primitive cell, else 5x5x5, one point along vacuum",
    "left_out": "crystals with a mode below -0.1 THz of the teacher at a wave vector that the "
    "supercell holds, or with more than a sixteenth of the interpolated spectrum below; "
    "relaxations that did not converge or left their space group; too many displaced supercells",
    "imaginary": "the pupil has a mode below -0.1 THz by the same measure",
    "relative_error": "Wasserstein-1 distance of 17 quantiles over the mean frequency of the truth",
}

_OF_UNSTABLE = {
    "left_out": "crystals without such modes of the teacher: below -0.1 THz at a wave vector that "
    "the supercell holds, or in more than a sixteenth of the interpolated spectrum",
    "imaginary": "false: a pupil's imaginary modes are real where the teacher has some as well",
}


def compare(pupil: Mapping[str, Any], teacher: Mapping[str, Any]) -> PhononRow:
    """A pupil's errors on one crystal.

    Parameters
    ----------
    pupil, teacher : mapping
        As :func:`~platonic_ase.calibrate.teach.compute` returns them.
    """
    quantiles, truth = np.array(pupil["quantiles"]), np.array(teacher["quantiles"])
    elements = {int(z) for z in pupil["numbers"]}
    names = DisplacementFeatures.__dataclass_fields__
    return PhononRow(
        formula=pupil["formula"],
        prototype=pupil["prototype"],
        anion=chemical_symbols[max(elements, key=lambda z: ELECTRONEGATIVITY[z])],
        supercell_atoms=pupil["supercell_atoms"],
        relative_error=relative_error(quantiles, truth),
        log_factor=best_log_factor(quantiles, truth),
        imaginary=not stable(pupil),
        mean=pupil["mean"],
        lowest=pupil["lowest_commensurate"],
        quantiles=tuple(pupil["quantiles"]),
        features=DisplacementFeatures(
            **{name: pupil["features"].get(name, np.nan) for name in names}
        ),
        displacement=SETTINGS["displacement_A"],
    )


def build_table(teacher: Path, pupils: Sequence[Path], *, unstable: bool = False) -> dict[str, Any]:
    """The table, JSON-safe.

    Parameters
    ----------
    teacher : Path
        Folder of its files; its name is that of the model.
    pupils : sequence of Path
        The same of each pupil.
    unstable : bool
        Of the crystals that the teacher finds unstable, not of the others: what imaginary modes a
        pupil has is then real.
    """
    truths, failed = _read(teacher)
    models: dict[str, Any] = {}
    columns: list[str] = []
    for folder in pupils:
        found, missing = _read(folder)
        rows = [
            {
                **compare(found[key], truths[key]).to_dict(),
                **_truth(truths[key]),
                **({"imaginary": False} if unstable else {}),
            }
            for key in sorted(found)
            if key in truths and stable(truths[key]) != unstable
        ]
        for row in rows:
            columns += [name for name in row if name not in columns]
        models[folder.name] = {"title": folder.name, "rows": rows, "failed": missing}
    for each in models.values():
        each["rows"] = [[_short(row.get(name)) for name in columns] for row in each["rows"]]
    return {
        "about": f"Phonon errors of potentials against {teacher.name}, crystals of many prototypes"
        + (", those that it finds unstable" if unstable else ""),
        "method": {**_METHOD, **(_OF_UNSTABLE if unstable else {}), "settings": SETTINGS},
        "teacher": teacher.name,
        "teacher_failed": failed,
        "teacher_unstable": _unstable(truths),
        "columns": columns,
        "models": models,
    }


def extend_table(
    table: Mapping[str, Any], pupils: Sequence[Path], teacher: Path | None = None
) -> dict[str, Any]:
    """The table with other pupils, or other crystals, JSON-safe.

    A crystal that both have is kept as the table has it.

    Parameters
    ----------
    table : mapping
        As :func:`build_table` returns it: the truth is in its rows.
    pupils : sequence of Path
        Folders of pupils that started without the teacher's files, or that followed ``teacher``.
    teacher : Path, optional
        Folder of the same teacher, with crystals that the table has not.
    """
    columns = list(table["columns"])
    models = {name: {**each, "rows": [*each["rows"]]} for name, each in table["models"].items()}
    truths: dict[tuple[str, str], dict[str, Any]] = {}
    for each in models.values():
        for values in each["rows"]:
            row = dict(zip(columns, values, strict=True))
            kept = {name: row[name] for name in ("space_group", "layers", "truth_quantiles")}
            truths[row["formula"], row["prototype"]] = kept
    later = list(table.get("added_later", ()))
    left_out: dict[str, dict[str, Any]] = {"teacher_failed": {}, "teacher_unstable": {}}
    if teacher is not None:
        taught, failed = _read(teacher)
        left_out = {"teacher_failed": failed, "teacher_unstable": _unstable(taught)}
        for each in filter(stable, taught.values()):
            if (which := (each["formula"], each["prototype"])) not in truths:
                truths[which] = _truth(each)
                later.append(" ".join(which))
    for folder in pupils:
        found, missing = _read(folder)
        own = models.setdefault(folder.name, {"title": folder.name, "rows": [], "failed": {}})
        at = columns.index("formula"), columns.index("prototype")
        known = {(values[at[0]], values[at[1]]) for values in own["rows"]}
        for key in sorted(found):
            pupil = found[key]
            which = pupil["formula"], pupil["prototype"]
            if which in truths and which not in known:
                truth = truths[which]
                row = compare(pupil, {"quantiles": truth["truth_quantiles"]}).to_dict() | truth
                own["rows"].append([_short(row.get(name)) for name in columns])
        own["failed"] = {**own["failed"], **missing}
    return {
        **table,
        **{name: {**table[name], **more} for name, more in left_out.items()},
        "added_later": later,
        "models": models,
    }


def write_table(path: Path, table: Mapping[str, Any]) -> None:
    """Write a table, one crystal a line."""
    head = {name: value for name, value in table.items() if name != "models"}
    parts = []
    for model, each in table["models"].items():
        rest = json.dumps({name: value for name, value in each.items() if name != "rows"})
        rows = ",\n".join("   " + json.dumps(row) for row in each["rows"])
        parts.append(f'  {json.dumps(model)}: {rest[:-1]}, "rows": [\n{rows}\n  ]}}')
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    models = ",\n".join(parts)
    write_atomically(path, "{\n" + ",\n".join(lines) + ',\n "models": {\n' + models + "\n }\n}\n")


def _read(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Crystals that were computed, and why others were not."""
    found, failed = {}, {}
    for path in sorted(folder.glob("*.json")):
        stored = parse_json(path.read_bytes())
        if "failed" in stored:
            failed[path.stem] = str(stored["failed"])
        else:
            found[path.stem] = stored["crystal"]
    return found, failed


def _truth(crystal: Mapping[str, Any]) -> dict[str, Any]:
    """What a row tells of the teacher's crystal."""
    return {
        "space_group": crystal["space_group"],
        "layers": crystal["prototype"] in FLAT,
        "truth_quantiles": crystal["quantiles"],
    }


def _unstable(crystals: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Lowest frequencies, THz, of crystals that teach nothing."""
    return {
        key: round(each["lowest_commensurate"], 3)
        for key, each in sorted(crystals.items())
        if not stable(each)
    }


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return [round(each, 3) for each in value] if isinstance(value, list) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m platonic_ase.calibrate.teach_table``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, help="to be extended, or the folder of the teacher")
    parser.add_argument("pupils", type=Path, nargs="+")
    parser.add_argument("--teacher", type=Path, help="its folder with more crystals")
    parser.add_argument("--unstable", action="store_true", help="what the teacher finds unstable")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.unstable and not given.table.is_dir():
        parser.error(f"--unstable needs the folder of the teacher; got {given.table}")
    if given.table.is_dir():
        table = build_table(given.table, given.pupils, unstable=given.unstable)
    else:
        table = extend_table(parse_json(given.table.read_bytes()), given.pupils, given.teacher)
    write_table(given.output, table)


if __name__ == "__main__":
    main()
