"""The JSON document and the HTML page of a replay, read back and compared with the replay itself."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
import zlib
from typing import Any

import numpy as np
import pytest

from tests.replay_scenes import Costly, Fan, crossing_scene, straight_scene
from trajnet.inference import ConstantVelocity
from trajnet.replay.html_report import MAX_BYTES, build_report, write_report
from trajnet.replay.replay import ReplayOptions
from trajnet.replay.summary import Run, document, run_replay
from trajnet.timing.clock import VirtualClock
from trajnet.types import RasterMap

TIME_S = np.arange(1.0, 13.0) * 0.5


@pytest.fixture(scope="module")
def run() -> Run:
    options = ReplayOptions(warmup_frames=2, self_judging=False)
    return run_replay(crossing_scene(), Fan(TIME_S), options, clock=VirtualClock())


def parts(page: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON of a page and the arrays of its block."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    packed = re.search(r'<script type="text/plain" id="block">(.*?)</script>', page, re.S)[1]  # type: ignore[index]
    raw = zlib.decompress(base64.b64decode(packed))
    return data, {n: np.frombuffer(raw, "<" + t, size, offset) for n, (t, offset, size) in data["block"].items()}


def test_document_has_everything_that_was_measured() -> None:
    clock = VirtualClock()
    scene = straight_scene(np.ones((30, 2), dtype=bool))
    options = ReplayOptions(rate=5.0, budget_ms=45.0, warmup_frames=1)
    found = document(run_replay(scene, Costly(clock, [30.0]), options, agents=5, threads=3, clock=clock))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["version"] == 1
    assert found["scene"] == {
        "id": "straight",
        "source": "made by hand",
        "licence": "none needed",
        "frames": 30,
        "duration_s": pytest.approx(2.9),
        "tracks": 2,
    }
    assert found["model"] == {"name": "costly", "model_id": None, "modes": 1, "horizon_s": 1.0, "steps": 2}
    assert found["load"] == {
        "rate": 5.0,
        "latency_counts_from": "the scheduled time",
        "agents_asked": 5,
        "agents_per_frame_min": 5,
        "agents_per_frame_mean": 5.0,
        "agents_per_frame_max": 5,
        "warmup_frames": 1,
    }
    assert set(found["hardware"]) == {
        *(
            "cpu",
            "gpus",
            "board",
            "cores",
            "cores_usable",
            "load_average",
            "platform",
            "python",
            "numpy",
            "onnxruntime",
        ),
        *("provider", "threads", "engine_cache", "cuda_graph", "stolen_s"),
    }
    assert found["hardware"]["stolen_s"] is None  # no hypervisor takes time from a virtual clock
    assert found["hardware"]["threads"] == 3
    assert (found["hardware"]["engine_cache"], found["hardware"]["cuda_graph"]) == (None, False)
    assert found["hardware"]["cpu"]
    # Frame i (from 1) takes 30 + 10 i ms from its scheduled time: 40 ... 320; rank ceil(0.5 * 29) = 15 is i = 15.
    assert found["latency_ms"]["total"] == {
        "count": 29,
        "p50": 180.0,
        "p95": 310.0,
        "p99": 320.0,
        "p99.9": 320.0,
        "max": 320.0,
        "mean": 180.0,
    }
    assert list(found["latency_ms"]) == ["wait", "tracks", "model", "output", "total"]
    assert found["deadline"] == {"budget_ms": 45.0, "misses": 28, "frames": 29}
    # Frame i waits 10 i ms: over 200 ms from frame 21 on. Frame 19 starts at 570 ms: frames 20 to 28 are due by then.
    assert found["frames"] == {"served": 30, "dropped": 0, "late": 9, "backlog_max": 9}
    assert found["tracks"]["born"] == 5
    assert found["guard"]["model_rows"] == 150
    assert found["errors_m"]["model"]["groups"]["all"]["count"] == 40  # copies are load, not evidence
    assert found["errors_m"]["cv"]["groups"]["all"]["minADE_1"] == pytest.approx(0.0, abs=1e-6)


def test_page_says_how_many_rows_were_judged_and_who_led(run: Run) -> None:
    assert parts(build_report(run))[0]["self_judging"] == "off"
    counters = {**run.replay.judging_counters, "evident_rows": 2000, "velocity_rows": 60, "standing_rows": 31}
    rows = {**run.replay.guard_counters, "model_rows": 2500}
    options = dataclasses.replace(run.replay.options, self_judging=True)
    on = dataclasses.replace(run.replay, options=options)
    assert parts(build_report(dataclasses.replace(run, replay=on)))[0]["self_judging"] == "no rows judged"
    led = dataclasses.replace(on, judging_counters=counters, guard_counters=rows)
    assert parts(build_report(dataclasses.replace(run, replay=led)))[0]["self_judging"] == (
        "2,000 of the model's 2,500 rows judged by their own past errors; "
        "of these constant velocity led 3.0%, standing led 1.6%"
    )
    assert '["self-judging", data.self_judging]' in build_report(run)


def test_document_says_when_only_service_times_were_measured() -> None:
    scene = straight_scene(np.ones((8, 1), dtype=bool))
    found = document(run_replay(scene, ConstantVelocity(TIME_S), ReplayOptions(rate=math.inf), clock=VirtualClock()))
    assert found["load"]["rate"] == "max"
    assert found["load"]["latency_counts_from"] == "the start of service"
    assert found["load"]["agents_asked"] is None


def test_page_holds_the_positions_to_half_a_centimetre(run: Run) -> None:
    _, arrays = parts(build_report(run))
    scene = run.recorded
    middle_m = np.round(0.5 * (scene.position_m.min(axis=0) + scene.position_m.max(axis=0)))
    np.testing.assert_allclose(arrays["row_cm"].reshape(-1, 2) / 100, scene.position_m - middle_m, atol=0.00501)
    np.testing.assert_array_equal(arrays["row_track"], scene.row_track)
    turn = np.exp(1j * arrays["row_heading"] / 1e4) / np.exp(1j * scene.yaw_rad)
    assert np.abs(np.angle(turn)).max() < 1e-4
    np.testing.assert_allclose(arrays["latency_us"].reshape(-1, 5)[:, 4], run.replay.latency_ns("total")[0] // 1000)


def test_page_holds_the_paths_to_a_centimetre_in_order_of_probability(run: Run) -> None:
    data, arrays = parts(build_report(run))
    points = (
        (arrays["point_low"].astype(np.int64) | arrays["point_high"].astype(np.int64) << 8).astype("<u2").view("<i2")
    )
    second = points.reshape(-1, 12, 2)
    units = np.cumsum(np.cumsum(second, axis=1, dtype=np.int16), axis=1, dtype=np.int16)
    path_m = (units * data["drawing"]["point_scale_m"]).reshape(-1, 3, 12, 2)
    kept = np.concatenate([p.offset_m for p in run.replay.paths])[:, [1, 0, 2]]  # probabilities 0.3, 0.6, 0.1
    np.testing.assert_allclose(path_m, kept, atol=0.00501)
    np.testing.assert_array_equal(arrays["probability"].reshape(-1, 3)[0], [153, 76, 26])  # 0.6, 0.3, 0.1 of 255


def test_page_holds_the_ellipses(run: Run) -> None:
    _, arrays = parts(build_report(run))
    quantised = arrays["ellipse"].reshape(-1, 3, 3)
    covariance = np.concatenate([p.covariance_m2[:, 1] for p in run.replay.paths])[:, [3, 7, 11]]  # 2, 4 and 6 s
    values, _ = np.linalg.eigh(covariance)
    sigma = (quantised.reshape(-1, 3, 3, 3)[:, 0, :, :2] / 25.0) ** 2
    np.testing.assert_allclose(sigma, np.sqrt(values[..., ::-1]), rtol=0.06, atol=0.02)


def test_page_is_thinned_out_until_it_is_small_enough(run: Run) -> None:
    whole = build_report(run)
    assert len(whole) < MAX_BYTES
    assert parts(whole)[0]["drawing"]["prediction_stride"] == 1
    thin = build_report(run, max_bytes=len(whole) - 5_000)
    data, arrays = parts(thin)
    stride = data["drawing"]["prediction_stride"]
    assert stride > 1
    assert len(thin) <= len(whole) - 5_000
    assert np.flatnonzero(arrays["predicted"]).tolist() == list(range(0, run.recorded.frame_count, stride))


def test_paths_longer_than_16_bits_of_centimetres_get_a_coarser_scale() -> None:
    scene = straight_scene(np.ones((3, 1), dtype=bool), speed_mps=90.0)
    data, arrays = parts(build_report(run_replay(scene, ConstantVelocity(np.array([1.0, 6.0])), clock=VirtualClock())))
    points = (
        (arrays["point_low"].astype(np.int64) | arrays["point_high"].astype(np.int64) << 8).astype("<u2").view("<i2")
    )
    first, second = points.reshape(-1, 2, 2)[0]
    scale_m = data["drawing"]["point_scale_m"]
    assert scale_m == pytest.approx(540.0 / 32767)
    assert first[0] * scale_m == pytest.approx(90.0, abs=scale_m)
    assert np.int16(2 * int(first[0]) + int(second[0])) * scale_m == pytest.approx(540.0, abs=scale_m)


def test_page_asks_nothing_of_the_network_and_survives_hostile_names(run: Run) -> None:
    hostile = dataclasses.replace(run.recorded, scene_id="</script><img src=//x.y onerror=alert(1)>{{js}}{{data}}")
    page = build_report(dataclasses.replace(run, recorded=hostile))
    assert "default-src 'none'" in page
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert not re.search(r"""<[^>]*(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert page.count("class Recording") == 1
    assert parts(page)[0]["document"]["scene"]["id"] == hostile.scene_id


def test_page_shows_a_raster_map() -> None:
    scene = straight_scene(np.ones((6, 2), dtype=bool))
    drivable = np.zeros((30, 40), dtype=bool)
    drivable[5:9, 20] = True
    scene = dataclasses.replace(scene, raster=RasterMap(np.array([-10.0, -15.0]), 1.0, drivable))
    data, arrays = parts(build_report(run_replay(scene, ConstantVelocity(TIME_S), clock=VirtualClock())))
    raster = data["drawing"]["raster"]
    assert (raster["columns"], raster["rows"], raster["metres_per_pixel"]) == (30, 40, 1.0)
    bits = np.unpackbits(arrays["raster"])[: 30 * 40].reshape(40, 30)
    np.testing.assert_array_equal(bits.T.astype(bool), drivable)


def test_page_is_written_into_a_folder_that_is_not_there_yet(run: Run, tmp_path: Any) -> None:
    target = tmp_path / "a" / "b" / "report.html"
    write_report(run, target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
