"""The executor that a command's options ask for."""

from __future__ import annotations

from trajnet.engine.base import Executor, InProcess
from trajnet.engine.pool import ProcessPool
from trajnet.engine.ray_cluster import RayCluster
from trajnet.errors import InputError


def executor_for(jobs: int, ray: str | None = None) -> Executor:
    """Return the executor for this many processes, or for the Ray cluster at this address.

    jobs: 1 works in this process. With ray it bounds the tasks at once, and 0 leaves that to the cluster.
    Raises InputError for other numbers, and as RayCluster does.
    """
    if jobs < (0 if ray is not None else 1):
        raise InputError(f"jobs: expected at least 1, got {jobs}")
    if ray is not None:
        return RayCluster(ray, workers=jobs)
    return InProcess() if jobs == 1 else ProcessPool(jobs)
