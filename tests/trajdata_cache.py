"""Make caches with trajdata itself, for the tests of our reader. Run by a Python that has trajdata (docs/peers.md).

PEERS_PYTHON tests/trajdata_cache.py small tests/golden/trajdata_cache   # invented agents; this one is committed
PEERS_PYTHON tests/trajdata_cache.py eth_ucy RAW CACHE STATES.npz        # real ones, and what trajdata says of them
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 12
#: Agents that a map goes with: name, AgentType, length, width, y, speed in m/s, first step.
AGENTS = (("ego", 1, 4.5, 1.9, 0.0, 8.0, 0), ("walker", 2, 0.7, 0.6, 6.0, 1.5, 3), ("rider", 4, 2.1, 0.9, -3.5, 5.0, 0))
DT_S = 0.1
#: trajdata cuts ETH/UCY's files into two parts by fixed steps, and takes no empty ones.
LATE = 1500


def small(folder: Path) -> None:
    """Write a cache of walkers as in ETH/UCY, also at twice their rate, and of road users with a map."""
    from trajdata import UnifiedDataset

    with tempfile.TemporaryDirectory() as name:
        raw = Path(name)
        walk = "".join(
            f"{10.0 * (t + first)}\t{agent}.0\t{0.4 * t + agent}\t{2.0 * agent}\n"
            for first, agent in ((0, 1), (0, 2), (LATE, 3))
            for t in range(STEPS)
        )
        for scene in ("biwi_eth", "biwi_hotel", "crowds_zara01", "crowds_zara02", "crowds_zara03", "students001",
                      "students003", "uni_examples"):  # fmt: skip
            (raw / f"{scene}.txt").write_text(walk)
        for dt_s in (0.4, 0.2):
            UnifiedDataset(
                desired_data=["eupeds_eth-test_loo"], data_dirs={"eupeds_eth": name}, cache_location=str(folder),
                desired_dt=dt_s, future_sec=(0.4, 0.4), history_sec=(0.4, 0.4),
            )  # fmt: skip
    _road(folder)
    for unused in [*folder.rglob("scene_index_*.pkl"), *folder.rglob("scenes_list.dill"), *folder.rglob("*.zarr")]:
        shutil.rmtree(unused) if unused.is_dir() else unused.unlink()


def _road(folder: Path) -> None:
    import pandas as pd
    from trajdata.caching import EnvCache
    from trajdata.caching.df_cache import DataFrameCache
    from trajdata.data_structures.agent import AgentMetadata, AgentType, FixedExtent
    from trajdata.data_structures.environment import EnvMetadata
    from trajdata.data_structures.scene_metadata import Scene

    env = EnvMetadata("nuplan_mini", "/data", DT_S, [("mini_train",)], {}, ("town",))
    scene = Scene(env, "log=1", "town", "mini_train", STEPS, 0, {"numbers": np.arange(3), "where": Path("a")})
    agents, rows = list[Any](), list[tuple[Any, ...]]()
    for name, kind, length, width, y, speed, first in AGENTS:
        agents.append(AgentMetadata(name, AgentType(kind), first, STEPS - 1, FixedExtent(length, width, 1.5)))
        rows += [(name, t, speed * DT_S * t, y, 0.0, speed, 0.0, 0.0, 0.0, 0.0) for t in range(first, STEPS)]
    columns = ["agent_id", "scene_ts", "x", "y", "z", "vx", "vy", "ax", "ay", "heading"]
    table = pd.DataFrame(rows, columns=columns).set_index(["agent_id", "scene_ts"])
    present = [[agent for agent in agents if agent.first_timestep <= t] for t in range(STEPS)]
    scene.update_agent_info(agents, present)
    EnvCache(folder).save_scene(scene)
    DataFrameCache.save_agent_data(table, folder, scene)
    maps = folder / "nuplan_mini" / "maps"
    maps.mkdir(parents=True, exist_ok=True)
    (maps / "town.pb").write_bytes(_town().to_proto().SerializeToString())


def _town() -> Any:
    from trajdata.maps import VectorMap
    from trajdata.maps.vec_map_elements import PedCrosswalk, PedWalkway, Polyline, RoadLane

    def line(y: float, x: float = 0.0) -> Any:
        return Polyline(np.array([[x, y, 0.0, 0.0], [x + 30.0, y, 0.0, 0.0]]))

    def edge(y: float) -> Any:
        return Polyline(line(y).points[:, :3])

    town = VectorMap("nuplan_mini:town", extent=np.array([-5.0, -9.0, 0.0, 900.0, 9.0, 0.0]))
    town.add_map_element(RoadLane("with edges", line(0.0), edge(1.7), edge(-1.6)))
    town.add_map_element(RoadLane("without", line(3.5)))
    town.add_map_element(RoadLane("far away", line(0.0, 800.0)))
    square = Polyline(np.array([[10.0, -4, 0], [14, -4, 0], [14, 4, 0], [10, 4, 0]]))
    town.add_map_element(PedCrosswalk("zebra", square))
    town.add_map_element(PedWalkway("pavement", square))
    return town


def eth_ucy(raw: str, cache: str, states: str) -> None:
    """Build trajdata's cache of ETH/UCY, and write what its own interface says of every agent at every step."""
    from trajdata import UnifiedDataset
    from trajdata.caching.df_cache import DataFrameCache

    data = UnifiedDataset(
        desired_data=["eupeds_eth-test_loo"], data_dirs={"eupeds_eth": raw}, cache_location=cache, verbose=False
    )
    names, steps, places_m = list[str](), list[int](), list[tuple[float, float]]()
    for scene in data.scenes():
        own = DataFrameCache(Path(cache), scene)
        for agent in scene.agents:
            for step in range(agent.first_timestep, agent.last_timestep + 1):
                position = own.get_raw_state(agent.name, step).position
                names.append(agent.name)
                steps.append(step)
                places_m.append((float(position[0]), float(position[1])))
    np.savez(states, name=np.array(names), step=np.array(steps), position_m=np.array(places_m))


if __name__ == "__main__":
    if sys.argv[1] == "small":
        small(Path(sys.argv[2]))
    else:
        eth_ucy(*sys.argv[2:])
