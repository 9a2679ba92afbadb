"""A Ray cluster of two nodes, one killed while tasks run on every CPU; writes what came of the tasks to found.json.

A program of its own: Ray ends the process that lost its cluster, and that must not be the one that runs the tests.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from tests.unit.engine.tasks import PATIENCE_S, note_and_die, refuse_three, wait_for_file
from trajnet.engine import RayCluster
from trajnet.errors import InputError, TrajnetError


def kill(cluster: Any, node: Any, folder: Path) -> None:
    """Kill the node when tasks run on every CPU, then let the others go on."""
    end = time.monotonic() + PATIENCE_S
    while len(list(folder.glob("began-*"))) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    (folder / "go").touch()


def main(folder: Path) -> None:
    small: dict[str, Any] = {"num_cpus": 2, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    second = cluster.add_node(**small)
    executor = RayCluster(cluster.address)
    killer = threading.Thread(target=kill, args=(cluster, second, folder))
    killer.start()
    results = list(executor.map(wait_for_file, [(number, str(folder)) for number in range(8)]))
    killer.join()
    began = [file.name.split("-")[1] for file in folder.glob("began-*")]
    try:
        list(executor.map(refuse_three, range(5)))
        refused = ""
    except InputError as error:
        refused = str(error)
    try:
        list(executor.map(note_and_die, [(0, str(folder))]))
        lost = ""
    except TrajnetError as error:
        lost = str(error)
    found = {"lost": lost, "workers": executor.workers, "results": results, "began": began, "refused": refused}
    (folder / "found.json").write_text(json.dumps(found))
    ray.shutdown()
    cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
