"""Break valid files at random places and read them: every reader answers or raises the project's own error.

    python -m tests.fuzz_readers 2000        # so many broken files for each reader; prints a line for each

The suite runs a small number (tests/unit/test_readers_broken_files.py).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import TrajnetError

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Case:
    """A reader and a small file that it reads. name: the file's, its suffix decides how it is read."""

    name: str
    read: Callable[[Path], Any]
    content: bytes


def broken(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with a random fault: flipped bytes, a cut, a piece doubled, lost or overwritten with rubbish."""
    data = bytearray(content)
    kind = int(rng.integers(5))
    start, end = sorted(int(i) for i in rng.integers(0, len(data) + 1, 2))
    end = min(end, start + 64)
    if kind == 0:
        for index in rng.integers(0, len(data), int(rng.integers(1, 9))):
            data[index] ^= int(rng.integers(1, 256))
    elif kind == 1:
        del data[start:]
    elif kind == 2:
        data[start:start] = data[start:end]
    elif kind == 3:
        del data[start:end]
    else:
        data[start:end] = rng.integers(0, 256, end - start, dtype=np.uint8).tobytes()
    return bytes(data)


def strangers(case: Case, count: int, seed: int, folder: Path) -> list[str]:
    """Read ``count`` broken files; return a sentence for each exception that is not the project's own."""
    rng, found = np.random.default_rng(seed), []
    path = folder / case.name
    for number in range(count):
        path.write_bytes(broken(case.content, rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case.read(path)
        except TrajnetError:
            continue
        except Exception as error:
            found.append(f"{case.name}, file {number} of seed {seed}: {type(error).__name__}: {error}")
    return found


def cases(folder: Path) -> list[Case]:
    """Return every reader with a file made in the folder."""
    import torch

    from trajnet.config import load_yaml
    from trajnet.datasets.files import load_map, load_scene
    from trajnet.inference.recorded import RecordedPredictor
    from trajnet.replay.faults import FaultPlan
    from trajnet.scenes.map_projection import projection_of, read_projector_info
    from trajnet.training.checkpoint import checkpoint_model
    from trajnet.training.config import TrainConfig

    point = "<point><x>{}</x><y>{}</y></point>"
    state = (
        "<{0}><position>" + point.format("1", "2") + "</position><orientation><exact>0.1</exact></orientation>"
        "<time><exact>{1}</exact></time><velocity><exact>3</exact></velocity></{0}>"
    )
    commonroad = (
        '<?xml version="1.0" ?><commonRoad affiliation="a" author="b" benchmarkID="USA_Test-1_1_T-1" '
        'commonRoadVersion="2020a" date="2024-01-01" source="c" timeStepSize="0.1"><location><geoNameId>1</geoNameId>'
        "<gpsLatitude>1</gpsLatitude><gpsLongitude>1</gpsLongitude></location><scenarioTags><urban/></scenarioTags>"
        '<dynamicObstacle id="4"><type>car</type>'
        "<shape><rectangle><length>4</length><width>2</width></rectangle></shape>"
        + state.format("initialState", 0) + "<trajectory>" + state.format("state", 1)
        + "</trajectory></dynamicObstacle></commonRoad>"
    )  # fmt: skip
    nodes = "".join(
        f'<node id="{i}" lat="0.0" lon="0.0"><tag k="local_x" v="{x}"/><tag k="local_y" v="{y}"/></node>'
        for i, (x, y) in enumerate([(0, 0), (9, 0), (0, 3), (9, 3)])
    )
    lanelet2 = (
        f'<?xml version="1.0" encoding="UTF-8"?><osm>{nodes}<way id="5"><nd ref="0"/><nd ref="1"/></way><way id="6">'
        '<nd ref="2"/><nd ref="3"/></way><relation id="7"><member type="way" role="left" ref="6"/><member type="way" '
        'role="right" ref="5"/><tag k="type" v="lanelet"/></relation></osm>'
    )
    opendrive = (
        '<?xml version="1.0"?><OpenDRIVE><header/><road id="1" length="9" junction="-1"><planView><geometry s="0" '
        'x="0" y="0" hdg="0" length="9"><arc curvature="0.02"/></geometry></planView><lanes><laneSection s="0"><right>'
        '<lane id="-1" type="driving"><width sOffset="0" a="3" b="0.1" c="0" d="0"/></lane></right></laneSection>'
        "</lanes></road></OpenDRIVE>"
    )
    torch.save({"trajnet": {"version": 4, "config": {}}, "state_dict": {"model.a": torch.zeros(3)}}, folder / "a.ckpt")
    np.savez(
        folder / "a.npz", version=1, time_s=np.array([0.5, 1.0]), timestamp_ns=np.array([0]), count=np.array([1]),
        track_id=np.array(["a"]), position_m=np.zeros((1, 1, 2, 2)), yaw_rad=np.zeros((1, 1, 2)),
        covariance_m2=np.zeros((1, 1, 2, 2, 2)), probability=np.ones((1, 1)),
    )  # fmt: skip
    info = b"projector_type: LocalCartesianUTM\nmap_origin: {latitude: 35.0, longitude: 139.0}\n"

    def of(path: Path) -> bytes:
        return path.read_bytes()

    return [
        Case("scene.parquet", lambda p: load_scene(p, with_map=True), of(ROOT / "sim/scenes/crossing_small.parquet")),
        Case("scene.xml", load_scene, commonroad.encode()),
        Case("map.osm", load_map, lanelet2.encode()),
        Case("map.xodr", load_map, opendrive.encode()),
        Case("map_projector_info.yaml", lambda p: projection_of(read_projector_info(p), p), info),
        Case("walkers.txt", load_scene, b"0\t1\t2.0\t3.0\n10\t1\t2.5\t3.0\n10\t2\t4.5\t3.0\n"),
        Case("train.yaml", lambda p: load_yaml(TrainConfig, p), of(ROOT / "configs/urban.yaml")),
        Case("faults.yaml", lambda p: load_yaml(FaultPlan, p), of(ROOT / "sim/faults/all.yaml")),
        Case("last.ckpt", checkpoint_model, of(folder / "a.ckpt")),
        Case("recorded.npz", RecordedPredictor, of(folder / "a.npz")),
        *data_set_cases(folder),
    ]


def data_set_cases(folder: Path) -> list[Case]:
    """Return the readers of data sets' own files; what is read beside a file is whole."""
    from tests.unit.datasets import test_drone_csv as csv
    from tests.unit.scenes import nuplan_files, nuscenes_files, scenarionet_files, test_av2_sensor, womd_files
    from trajnet.datasets.files import load_scene, load_scenes
    from trajnet.scenes.nuscenes_map import read_nuscenes_map
    from trajnet.scenes.tfrecord import read_records
    from trajnet.scenes.trajdata_map import read_trajdata_map

    def every(path: Path) -> int:
        return sum(1 for _ in load_scenes(path))

    def past_the_check_sum(path: Path) -> int:
        shard = womd_files.write_shard(path.with_name("shard.tfrecord"), path.read_bytes())
        return sum(1 for _ in load_scenes(shard)) + sum(1 for _ in read_records(shard))

    levelx, highd = csv.levelx(folder), csv.highd(folder)  # their files lie in data/
    sensor = test_av2_sensor.write_log(folder / "log")
    shard = womd_files.write_shard(folder / "a.tfrecord", womd_files.scenario("a"), womd_files.scenario("b"))
    tiny = scenarionet_files.scenario_of(load_scene(ROOT / "sim/scenes/crossing_small.parquet"))
    scenario = scenarionet_files.write_scenario(folder / "sd_a.pkl", tiny)
    shutil.copytree(ROOT / "tests/golden/trajdata_cache/nuplan_mini/log=1", folder / "cache/env/a")
    shutil.copytree(ROOT / "tests/golden/trajdata_cache/nuplan_mini/maps", folder / "cache/env/maps")
    road = folder / "cache/env/a/agent_data_dt0.10.feather"
    about, town = road.with_name("scene_metadata_dt0.10.dill"), folder / "cache/env/maps/town.pb"
    walk = csv.INTERACTION + "1,1,100,car,1,2,3,0,0,4,2\n1,2,200,car,2,2,3,0,0,4,2\n"

    def of(path: Path) -> bytes:
        return path.read_bytes()

    boxes = nuscenes_files.write_tables(folder)
    streets = folder / "maps" / "expansion" / "boston-seaport.json"

    return [
        Case("v1.0-mini/sample_annotation.json", every, of(boxes)),
        Case("streets.json", read_nuscenes_map, of(streets)),
        Case("shard.tfrecord", every, of(shard)),
        Case("scenario.bin", past_the_check_sum, womd_files.scenario()),
        Case("log.db", every, of(nuplan_files.write_log(folder / "a.db"))),
        Case("sd_broken.pkl", load_scene, of(scenario)),
        Case("cache/env/a/agent_data_dt0.10.feather", load_scene, of(road)),
        Case("cache/env/a/scene_metadata_dt0.10.dill", lambda p: load_scene(p.with_name(road.name)), of(about)),
        Case("cache/env/maps/town.pb", read_trajdata_map, of(town)),
        Case("log/annotations.feather", load_scene, of(sensor)),
        Case("vehicle_tracks_000.csv", lambda p: load_scene(p, "interaction"), walk.encode()),
        Case("cases_train.csv", lambda p: list(load_scenes(p, "interaction")), csv.CASES.encode()),
        Case("data/07_tracks.csv", lambda p: load_scene(p, "levelx"), of(levelx)),
        Case("data/01_tracks.csv", lambda p: load_scene(p, "highd"), of(highd)),
        Case("tgsim.csv", lambda p: list(load_scenes(p, "tgsim")), csv.TGSIM.encode()),
        Case("trajectories_1.csv", lambda p: load_scene(p, "dlr_ut"), csv.DLR.encode()),
    ]


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        failed = 0
        for case in cases(folder):
            found = strangers(case, count, 0, folder)
            failed += len(found)
            print(
                f"{case.name:26} {count} broken files, {len(found)} foreign errors",
                *found[:3],
                sep="\n    ",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
