"""The benchmark on a virtual clock, where every figure can be said beforehand; what needs the real thing, with it."""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.frames import MS
from tests.replay_scenes import Costly
from trajnet.bench.latency import Bench, BenchOptions, bench_document, find_capacity, measure, readme_table
from trajnet.bench.latency_figure import latency_picture
from trajnet.bench.latency_references import SameLength
from trajnet.bench.operators import profile_operators, summarise_operators
from trajnet.bench.soak import SOAK_WINDOWS, soak
from trajnet.bench.startup import measure_startup, resident_mb
from trajnet.bench.synthetic_traffic import LIFETIME_S, synthetic_frames
from trajnet.cli import main as cli
from trajnet.errors import ConfigError, TrajnetError
from trajnet.inference import ConstantVelocity
from trajnet.models import default_model
from trajnet.timing.clock import VirtualClock
from trajnet.tracking.store import Observations
from trajnet.types import Prediction


class PerObject(ConstantVelocity):
    """Takes 0.1 ms for each object."""

    name = "per object"

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def predict(self, observations: Observations) -> Prediction:
        self._clock.advance_ns(len(observations) * MS // 10)
        return super().predict(observations)


def test_the_crowd_moves_as_it_says_and_is_born_anew() -> None:
    frames = list(itertools.islice(synthetic_frames(40), 130))
    assert {len(f) for f in frames} == {40}
    assert np.diff([f.timestamp_ns for f in frames]).tolist() == [100 * MS] * 129
    a, b = frames[7], frames[8]
    np.testing.assert_allclose((b.position_m - a.position_m) / 0.1, a.velocity_mps, atol=1.2)  # 15 m/s on 20 m: 11 m/s2
    speed = np.hypot(*a.velocity_mps.T)
    np.testing.assert_allclose(a.velocity_mps, speed[:, None] * np.stack([np.cos(a.yaw_rad), np.sin(a.yaw_rad)], 1))
    assert len({t for f in frames for t in f.track_id}) > 80  # 40 in the first frame, and each once more in 13 s
    assert a.track_id == next(itertools.islice(synthetic_frames(40), 7, 8)).track_id
    assert round(LIFETIME_S) == 10


def test_stages_and_figures_of_a_size() -> None:
    clock = VirtualClock()
    predictor = Costly(clock, [50.0] + [float(i) for i in range(1, 101)])  # the warm-up frame takes 50 ms
    found = measure(predictor, 3, clock, BenchOptions(frames=100, warmup=1, period_ms=20.0), flops=1e6)
    model, total = found.latency["model"], found.latency["total"]
    assert model == total
    assert (model.count, model.p50_ms, model.p95_ms, model.p99_ms, model.p999_ms, model.max_ms) == (
        100, 50.0, 95.0, 99.0, 100.0, 100.0,
    )  # fmt: skip
    assert (found.latency["tracks"].max_ms, found.latency["output"].max_ms) == (0.0, 0.0)
    assert math.isnan(found.ratio_to_product)  # nothing but the model takes time on this clock
    assert (found.agents, found.flops) == (3, 1e6)


class Ticking(VirtualClock):
    """A clock that moves by 20 us with every look at it."""

    def now_ns(self) -> int:
        self.advance_ns(20_000)
        return super().now_ns()


def test_a_loop_is_as_long_as_it_is_asked_to_be() -> None:
    loop = SameLength(1e6, Ticking())  # 2,000 rounds are timed as 20 us: 10 ns each
    assert loop.rounds == 100_000
    assert loop.time_ns() == 20_000
    assert SameLength(1e6, VirtualClock()).rounds == 1  # where nothing takes time


def test_the_unsteadiness_of_a_size_and_of_the_loop() -> None:
    clock = VirtualClock()
    found = measure(Costly(clock, [10.0] * 98 + [30.0] * 2), 2, clock, BenchOptions(frames=100, warmup=0))
    assert found.loop.count == 25
    ratio, of_loop = found.unsteadiness
    assert ratio == 3.0
    assert math.isnan(of_loop)  # no loop takes time on this clock


def test_frames_are_paced_but_do_not_pile_up() -> None:
    clock = VirtualClock()
    measure(Costly(clock, [5.0]), 2, clock, BenchOptions(frames=10, warmup=0, period_ms=20.0))
    assert clock.now_ns() == (10 * 20 + 5) * MS
    clock = VirtualClock()
    measure(Costly(clock, [30.0]), 2, clock, BenchOptions(frames=10, warmup=0, period_ms=20.0))
    assert clock.now_ns() == (20 + 10 * 30) * MS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "frames: expected a whole number from 1 on, got 0"),
        ({"frames": 10.5}, "frames: expected a whole number from 1 on, got 10.5"),
        ({"warmup": -1}, "warmup"),
        ({"period_ms": math.nan}, "period_ms"),
        ({"period_ms": -1.0}, "period_ms"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BenchOptions(**options)


@pytest.mark.parametrize(("budget_ms", "agents"), [(10.0, 96), (0.85, 8), (0.7, 0), (12.8, 128), (20.1, 200)])
def test_the_capacity_is_the_largest_that_holds(budget_ms: float, agents: int) -> None:
    clock = VirtualClock()
    found = find_capacity(PerObject(clock), budget_ms, clock, BenchOptions(frames=3, warmup=0, period_ms=0.0))
    assert found.agents == agents
    assert all(p99_ms == pytest.approx(0.1 * tried) for tried, p99_ms in found.probes)
    assert len(found.probes) < 12


def test_a_soak_shows_what_grows() -> None:
    clock = VirtualClock()
    memory = itertools.count(100)
    costs = [4.0] * 300 + [8.0] * 299 + [60.0]
    found = soak(Costly(clock, costs), 5, 60.0, clock, memory_mb=lambda: float(next(memory)))
    assert len(found.windows) == SOAK_WINDOWS
    assert [w.frames for w in found.windows] == [20] * SOAK_WINDOWS
    assert found.windows[0].end_s == pytest.approx(1.904)
    assert (found.total.count, found.total.max_ms, found.misses) == (600, 60.0, 1)
    assert found.memory_growth_mb == SOAK_WINDOWS - 2
    assert found.slowdown == 2.0
    assert found.guard["calls"] == 600


def test_a_stall_shows_in_every_frame_that_it_delays() -> None:
    clock = VirtualClock()
    found = soak(Costly(clock, [250.0] + [10.0]), 2, 4.0, clock, memory_mb=lambda: 1.0)
    assert [w.max_ms for w in found.windows[:4]] == [250.0, 160.0, 70.0, 10.0][: len(found.windows)]


def test_a_soak_that_is_too_short() -> None:
    clock = VirtualClock()
    for duration_s in (2.9, math.nan, math.inf):
        with pytest.raises(ConfigError, match=r"soak: expected at least 3 s \(30 frames\)"):
            soak(Costly(clock, [1.0]), 2, duration_s, clock)


def event(name: str, us: float, inputs: list[list[int]], outputs: list[list[int]]) -> dict[str, Any]:
    shapes = {"input_type_shape": inputs, "output_type_shape": outputs}
    arguments = {k: [{"float": s} for s in v] for k, v in shapes.items()}
    return {"cat": "Node", "name": f"a_{name}_kernel_time", "dur": us, "args": {"op_name": name, **arguments}}


def test_operations_counted_by_hand() -> None:
    run = [
        event("LSTM", 60, [[12, 8, 32], [1, 8, 16]], [[12, 1, 8, 16]]),  # 2 * 12 * 8 * 4 * 16 * (32 + 16)
        event("MatMul", 20, [[12, 8, 16]], [[12, 8, 6]]),  # 2 * 576 * 16
        event("FusedGemm", 4, [[8, 22], [16]], [[8, 16]]),  # 2 * 128 * 22
        event("Conv", 4, [[8, 3, 9, 9], [5, 3, 2, 2]], [[8, 5, 4, 4]]),  # 2 * 640 * 12
        event("Add", 10, [[8, 16], [16]], [[8, 16]]),
        event("Reshape", 1, [[8, 16]], [[128]]),
        event("Reshape", 1, [[8, 16]], [[128]]),
        {"cat": "Session", "name": "model_run", "dur": 1000},
    ]
    found = summarise_operators(run * 2, tracks=8, runs=2)
    assert found.flops == 589_824 + 18_432 + 5_632 + 15_360
    assert found.by_type["LSTM"] == (1, 0.6)
    assert found.by_type["Reshape"] == (2, 0.02)
    assert found.by_category == {
        "recurrent": (1, 0.6), "matrix": (3, pytest.approx(0.28)), "arithmetic": (1, 0.1), "moving": (2, 0.02),
    }  # fmt: skip
    assert list(found.by_category) == ["recurrent", "matrix", "arithmetic", "moving"]
    assert found.uncounted == ()
    packed = summarise_operators([event("Conv", 1, [[8, 3, 9, 9]], [[8, 5, 4, 4]])], 8, 1)
    assert (packed.flops, packed.uncounted) == (0, ("Conv",))


def test_the_profile_of_a_shipped_model() -> None:
    small, large = (profile_operators(default_model(), tracks, runs=3) for tracks in (8, 32))
    assert large.flops == 4 * small.flops > 0
    assert large.by_category["recurrent"][0] == 2
    assert sum(share for _, share in large.by_type.values()) == pytest.approx(1.0)


def test_the_start_in_a_process_of_its_own() -> None:
    found = measure_startup("cv", 3, runs=2, frames=2)
    assert 0.0 < found.median_s <= found.max_s
    assert found.runs == 2
    assert not found.torch_loaded
    assert 10.0 < found.resident_mb < 500.0
    with pytest.raises(TrajnetError, match=r"expected a process that predicts, got exit code 1: .*nowhere"):
        measure_startup("nowhere.onnx", 3, runs=1)


def test_the_memory_in_use(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmRSS:\t  250000 kB\n")
    assert resident_mb(status) == pytest.approx(256.0)
    assert math.isnan(resident_mb(tmp_path / "none"))
    assert 10.0 < resident_mb() < 100_000.0


def sizes_found() -> Bench:
    clock = VirtualClock()
    options = BenchOptions(frames=4, warmup=0, period_ms=0.0)
    sizes = [measure(PerObject(clock), n, clock, options) for n in (1, 8, 64)]
    return Bench(ConstantVelocity(), 1, options, sizes)


def test_the_table_and_the_document() -> None:
    found = sizes_found()
    table = readme_table(found).splitlines()
    assert table[0].startswith("cv, none (numpy), 1 thread(s), ONNX Runtime ")
    assert "4 frames each, 0 ms apart" in table[0]
    assert table[-1] == "| 64 | 0.00 | 6.40 | 6.40 | – | – | 6.40 | 6.40 | 6.40 | 6.40 | 6.40 | – | – | 1.0 | – | – |"
    assert {line.count("|") for line in table[2:]} == {17}
    document = json.loads(json.dumps(bench_document(found), allow_nan=False))
    assert document["sizes"][2]["latency"]["total"]["p99_ms"] == pytest.approx(6.4)
    assert document["sizes"][0]["ratio_to_product"] is None
    assert document["hardware"]["cores"] >= 1
    assert document["soak"] is document["capacity"] is None


class Robbed(VirtualClock):
    """A hypervisor takes one millisecond in a hundred."""

    def stolen_s(self) -> float:
        return self.now_ns() * 1e-11


def test_what_a_hypervisor_took_is_beside_the_tails() -> None:
    clock = Robbed()
    options = BenchOptions(frames=4, warmup=0, period_ms=20.0)
    size = measure(PerObject(clock), 8, clock, options)
    assert size.stolen == pytest.approx(0.01)
    assert readme_table(Bench(ConstantVelocity(), 1, options, [size])).endswith(" | 1.00% |")


def test_the_picture_is_drawn_to_scale() -> None:
    picture = ElementTree.fromstring(latency_picture(sizes_found().sizes, "<a> & b"))
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in picture.iter(f"{space}text")]
    assert "<a> & b" in texts
    assert {"1", "8", "64", "0.1", "10", "total p99", "total p50", "model p50"} <= set(texts)
    assert "equal matrix product p50" not in texts  # nothing was measured
    lines = [p.attrib["points"] for p in picture.iter(f"{space}polyline")]
    points = np.array([[float(v) for v in point.split(",")] for point in lines[0].split()])
    # 1, 8 and 64 objects are a factor of 8 apart, and so are their times: a straight line of equal steps.
    np.testing.assert_allclose(points[1] - points[0], points[2] - points[1], atol=0.11)
    assert points[1, 0] > points[0, 0]
    assert points[1, 1] < points[0, 1]


def test_the_picture_of_two_sizes_line_by_line() -> None:
    clock = VirtualClock()
    options = BenchOptions(frames=4, warmup=0, period_ms=0.0)
    sizes = [measure(PerObject(clock), n, clock, options) for n in (10, 100)]  # 1 ms and 10 ms
    # One decade in each direction: x from 64 to 720 - 190, y from 460 - 52 up to 48.
    lines = latency_picture(sizes, "t").splitlines()
    assert lines[:4] == [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 460" font-family="sans-serif" font-size="13">',
        '<rect width="720" height="460" fill="#fff"/>',
        '<text x="64" y="26" font-size="15">t</text>',
        '<path d="M64 408.0H530" stroke="#bbb"/>',
    ]
    assert lines[4] == '<path d="M64 299.6H530" stroke="#eee"/>'  # 2 ms: 408 - 360 * log10(2)
    assert lines[12:21] == [
        '<text x="56" y="412.0" text-anchor="end">1</text>',
        '<path d="M64 48.0H530" stroke="#bbb"/>',
        '<text x="56" y="52.0" text-anchor="end">10</text>',
        '<path d="M64.0 48V408" stroke="#ddd"/>',
        '<text x="64.0" y="426" text-anchor="middle">10</text>',
        '<path d="M530.0 48V408" stroke="#ddd"/>',
        '<text x="530.0" y="426" text-anchor="middle">100</text>',
        '<text x="297.0" y="448" text-anchor="middle">objects</text>',
        '<text x="16" y="40">ms</text>',
    ]
    stroke = 'stroke="#b2182b" stroke-dasharray=""'
    assert lines[21:26] == [
        f'<polyline points="64.0,408.0 530.0,48.0" fill="none" stroke-width="2" {stroke}/>',
        '<circle cx="64.0" cy="408.0" r="3" fill="#b2182b"/>',
        '<circle cx="530.0" cy="48.0" r="3" fill="#b2182b"/>',
        f'<path d="M544 58h24" stroke-width="2" {stroke}/>',
        '<text x="574" y="62">total p99</text>',
    ]
    assert lines[-1] == "</svg>"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["trajnet", "bench", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


QUICK = ("--frames", 5, "--period-ms", 0)


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out, picture = tmp_path / "b.json", tmp_path / "b.svg"
    words = ("--model", default_model(), "--agents", "8,1", *QUICK, "--json", out, "--picture", picture)
    assert run(monkeypatch, *words) == 0
    shown = capsys.readouterr().out
    for part in (
        "| 8 |",
        "start-up",
        "PyTorch not in memory",
        "MB resident at 8 objects",
        "recurrent",
        "MFLOP per object",
    ):
        assert part in shown
    document = json.loads(out.read_text())
    assert [s["agents"] for s in document["sizes"]] == [1, 8]
    assert document["sizes"][1]["ratio_to_product"] > 0
    for size in document["sizes"]:  # the graph is part of the model stage, and frame by frame the parts are the whole
        mean_ms = {stage: part["mean_ms"] for stage, part in size["latency"].items()}
        assert 0 < size["graph"]["mean_ms"] < mean_ms["model"]
        assert size["graph"]["mean_ms"] + size["around"]["mean_ms"] == pytest.approx(mean_ms["total"])
        assert size["outside"]["mean_ms"] == pytest.approx(mean_ms["tracks"] + mean_ms["output"])
    assert document["sizes"][1]["loop"]["p99_ms"] >= document["sizes"][1]["loop"]["p50_ms"] > 0
    assert document["operators"]["tracks"] == 8
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_the_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--model", "cv", "--agents", "4", *QUICK, "--at", 4, "--limit-ms")
    assert run(monkeypatch, *words, 1e6) == 0
    assert run(monkeypatch, *words, 1e-6) == 1
    assert "p99 at 4 objects: expected at most 1e-06 ms, got" in capsys.readouterr().out


def test_capacity_and_soak_by_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--model", "cv", "--capacity", "--budget-ms", 1e-6, *QUICK) == 0
    assert "capacity   0 objects with a p99 of at most 1e-06 ms" in capsys.readouterr().out
    monkeypatch.setattr("trajnet.timing.clock.WallClock", VirtualClock)  # no real waiting
    assert run(monkeypatch, "--model", "cv", "--soak", 3.0 / 60, "--agents", 2) == 0
    shown = capsys.readouterr().out
    assert shown.count(" MB\n") == SOAK_WINDOWS
    assert "frames     30 of 2 objects" in shown
    assert "growth     " in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--agents", "1,x"), "agents: expected numbers above 0 with commas between them, got '1,x'"),
        (("--agents", "0"), "agents: expected numbers above 0"),
        (("--capacity", "--soak", 1), "capacity, soak: expected one of them"),
        (("--threads", 2), "cv runs in NumPy"),
        (("--json", "/no/such/folder/f"), "json: expected a file in a folder that exists"),
        (("--limit-ms", 1, "--at", 3), "limit-ms: expected --at to be one of the measured --agents, got 3"),
        (("--frames", 0), "frames: expected a whole number from 1 on"),
        (("--soak", 0.01), "soak: expected at least 3 s"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[object, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--model", "cv", *words) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
