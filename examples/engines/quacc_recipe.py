# %% [markdown]
# # quacc
#
# Recipes as quacc's own are written: `@job` makes them tasks of whichever workflow engine quacc is
# set to (Dask, Parsl, Prefect, jobflow, ...), and without one they run at once. What was found
# stands under `platonic` in the summary that goes to the database.

# %%
from functools import lru_cache

from ase.build import bulk
from quacc import job
from quacc.runners.ase import Runner
from quacc.schemas.ase import Summarize

from platonic_ase import PlatonicCalculator
from platonic_ase.models import load_calculator


# %%
@lru_cache(maxsize=1)
def model(name):
    """One model a process; each job watches it anew."""
    return load_calculator(name)


def findings(calculator):
    """JSON-safe summary of a run."""
    summary = calculator.summary()
    return {
        "worst": dict(summary.worst),
        "warnings": dict(summary.raised),
        "risks": dict(calculator.diagnosis.risks),
    }


# %%
@job
def static_job(atoms, method="chgnet", copy_files=None, additional_fields=None, **options):
    """Energy and forces, and what the watch found; options as of PlatonicCalculator."""
    calculator = PlatonicCalculator(model(method), **options)
    final = Runner(atoms, calculator, copy_files=copy_files).run_calc()
    fields = {"name": "Platonic Static", "platonic": findings(calculator)}
    return Summarize(additional_fields=fields | (additional_fields or {})).run(final, atoms)


@job
def relax_job(
    atoms,
    method="chgnet",
    relax_cell=False,
    opt_params=None,
    copy_files=None,
    additional_fields=None,
    **options,
):
    """Relaxation, and what the watch found; options as of PlatonicCalculator."""
    calculator = PlatonicCalculator(model(method), **options)
    runner = Runner(atoms, calculator, copy_files=copy_files)
    dynamics = runner.run_opt(relax_cell=relax_cell, **(opt_params or {}))
    fields = {"name": "Platonic Relax", "platonic": findings(calculator)}
    return Summarize(additional_fields=fields | (additional_fields or {})).opt(dynamics)


# %%
def main():
    atoms = bulk("NaCl", "rocksalt", a=5.65)
    atoms.rattle(0.05, seed=1)
    relaxed = relax_job(atoms, opt_params={"fmax": 0.05, "max_steps": 20})
    final = static_job(relaxed["atoms"])
    print("energy (eV):", round(final["results"]["energy"], 4))
    print("worst on the way:", relaxed["platonic"]["worst"])
    print("warnings:", relaxed["platonic"]["warnings"] or "none")


if __name__ == "__main__":
    main()
