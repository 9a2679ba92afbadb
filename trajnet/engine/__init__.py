"""One interface to run the same function over many tasks: in this process, in several, or on a Ray cluster."""

from trajnet.engine.base import Executor, InProcess
from trajnet.engine.choose import executor_for
from trajnet.engine.done_list import DoneList, stamp_of
from trajnet.engine.pool import ProcessPool
from trajnet.engine.ray_cluster import RayCluster

__all__ = ["DoneList", "Executor", "InProcess", "ProcessPool", "RayCluster", "executor_for", "stamp_of"]
