# %% [markdown]
# # A screening on a Slurm cluster
#
# dask-jobqueue starts workers as Slurm jobs; the screening runs in this process, on a login node
# say, and goes on by the same command if it is interrupted. Needs `platonic_ase[screen,chgnet]`
# and `dask-jobqueue`. Without Slurm on the machine this only shows the job script.

# %%
import shutil
import sys

from ase.build import bulk
from ase.io import write
from dask_jobqueue import SLURMCluster

from platonic_ase.runs.placement import Placement
from platonic_ase.screen import conclude_screening, screen

# %% [markdown]
# One thread a process: rows are then the same to the last bit, wherever they are computed. Each
# job holds eight workers, and each of these loads the model once.


# %%
def open_cluster() -> SLURMCluster:
    return SLURMCluster(
        queue="standard",
        account="materials",
        walltime="12:00:00",
        cores=8,
        processes=8,
        memory="32GB",
        python=sys.executable,
        job_script_prologue=["export OMP_NUM_THREADS=1"],
    )


# %%
def main() -> None:
    crystals = [bulk("Cu", a=3.5 + 0.02 * k, cubic=True) for k in range(10)]
    write("crystals.xyz", crystals)
    with open_cluster() as cluster:
        print(cluster.job_script())
        if shutil.which("sbatch") is None:
            print("no Slurm here: nothing is computed")
            return
        cluster.adapt(minimum_jobs=1, maximum_jobs=20)
        result = screen(
            "crystals.xyz",
            "chgnet",
            task="relax",
            options={"cell": True},
            output="screening",
            placement=Placement(scheduler=cluster.scheduler_address, wait=24 * 3600),
        )
    print(result)
    print(conclude_screening(result.folder, top=3))


# %%
if __name__ == "__main__":
    main()
