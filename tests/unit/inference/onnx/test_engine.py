"""A shipped model in its buckets: the same bytes whatever the frame's size, nothing allocated, nothing left behind."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.frames import frame
from trajnet.columns import INPUT_COLUMNS
from trajnet.errors import ConfigError
from trajnet.inference import OnnxPredictor
from trajnet.inference.onnx.engine import Bucket, Engine
from trajnet.inference.onnx.predictor import fill
from trajnet.models import default_model, nuscenes_model, universal_model
from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import Prediction, TrackFrame

FIELDS = ("position_m", "yaw_rad", "covariance_m2", "probability")


def crowd(count: int, steps: int, first: int = 0) -> list[TrackFrame]:
    """The same objects for any count, as far as both have them."""
    draw = np.random.default_rng(3)
    place, speed, kind = (
        draw.normal(scale=50.0, size=(400, 2)),
        draw.normal(scale=6.0, size=(400, 2)),
        np.arange(400) % 7,
    )
    chosen = slice(0, count)
    frames = []
    for step in range(first, first + steps):
        here = place[chosen] + 0.1 * step * speed[chosen]
        places = {f"{i}": (float(x), float(y)) for i, (x, y) in enumerate(here)}
        yaw = np.arctan2(speed[chosen, 1], speed[chosen, 0])
        frames.append(frame(0.1 * step, places, yaw=yaw, velocity=speed[chosen], kind=kind[chosen]))
    return frames


def observed(frames: list[TrackFrame]) -> list[Observations]:
    store, seen = TrackStore(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        seen.append(observations)
    return seen


def same_rows(answer: Prediction, whole: Prediction, count: int) -> None:
    """Equal paths; to the byte on the processors whose matrix products we know to make every row alike."""
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text(encoding="utf-8", errors="replace").split() if cpu.exists() else []
    for name in FIELDS:
        got, expected = getattr(answer, name), getattr(whole, name)[:count]
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4, err_msg=name)
        if "avx2" in flags and "avx512f" not in flags:
            assert got.tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("path", [nuscenes_model(), universal_model()], ids=lambda path: path.stem)
def test_a_larger_model_has_the_same_rows_in_any_bucket_to_a_fraction_of_a_millimetre(path: Path) -> None:
    """Its wider layers are multiplied in other pieces for other numbers of rows."""
    whole = [OnnxPredictor(path).predict(o) for o in observed(crowd(256, 3))][-1]
    for count in (1, 7, 30, 63, 100):
        answer = [OnnxPredictor(path).predict(o) for o in observed(crowd(count, 3))][-1]
        for name in FIELDS:
            got, expected = getattr(answer, name), getattr(whole, name)[:count]
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=3e-4, err_msg=f"{name}, {count} objects")


@pytest.fixture(scope="module")
def whole() -> Prediction:
    """The third answer for 256 objects in one bucket."""
    predictor = OnnxPredictor(default_model())
    return [predictor.predict(o) for o in observed(crowd(256, 3))][-1]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 11, 30, 63, 65, 100, 200])
def test_a_row_has_the_same_bytes_in_any_bucket(whole: Prediction, count: int) -> None:
    predictor = OnnxPredictor(default_model())
    answer = [predictor.predict(o) for o in observed(crowd(count, 3))][-1]
    same_rows(answer, whole, count)


def test_more_rows_than_the_largest_bucket_take_several_steps(whole: Prediction) -> None:
    predictor = OnnxPredictor(default_model(), buckets=(4, 12))
    assert predictor.max_tracks == 12
    answer = [predictor.predict(o) for o in observed(crowd(31, 3))][-1]
    assert answer.track_id == tuple(f"{i}" for i in range(31))
    same_rows(answer, whole, 31)


def test_rows_that_nobody_uses_any_more_are_padded_over() -> None:
    engine = Engine(default_model(), buckets=(8,))
    bucket, untouched = engine.buckets[0], Engine(default_model(), buckets=(8,)).buckets[0]
    seen = observed(crowd(8, 1))[0]

    def step(rows: slice) -> None:
        engine.step(seen.slot[rows], seen.reset[rows], lambda inputs: fill(inputs, seen, seen.reset, rows))

    step(slice(0, 8))
    assert (bucket.inputs["observation"][3:] != untouched.inputs["observation"][3:]).any()
    step(slice(0, 3))
    for name, values in bucket.inputs.items():
        empty = untouched.inputs[name]
        rows = (slice(3, None),) if bucket.inputs[name].shape[0] == 8 else (slice(None), slice(3, None))
        np.testing.assert_array_equal(values[rows], empty[rows], err_msg=name)
    ones = {"reset", "length_m", "width_m", "class_unknown"}
    assert untouched.inputs["observation"].tolist() == [[float(name in ones) for name in INPUT_COLUMNS.names]] * 8


def test_a_step_allocates_nothing_that_stays_and_next_to_nothing_for_a_while() -> None:
    engine = Engine(default_model(), buckets=(64,))
    seen = observed(crowd(60, 2))[1]

    def step() -> None:
        engine.step(seen.slot, seen.reset, lambda inputs: fill(inputs, seen, seen.reset, slice(0, 60)))

    tracemalloc.start()
    try:
        for _ in range(300):  # ONNX Runtime's binding itself keeps about a hundred small objects, and then no more
            step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One plane of the paths alone has 60 x 6 x 12 x 4 = 17 kB; views and NumPy's casting buffers are what is left.
    assert after - before < 1_000
    assert peak - before < 12_000


@pytest.mark.parametrize("buckets", [(), (0,), (6,), (16, 8), (8, 8)])
def test_buckets_that_cannot_be(buckets: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="buckets: expected increasing multiples of 4"):
        OnnxPredictor(default_model(), buckets=buckets)


def coming_and_going() -> list[Observations]:
    """Frames whose tracks go on, are missing for a while in a smaller bucket, come back and begin."""
    counts = (9, 9, 9, 5, 5, 9, 9, 12, 12)
    frames = [crowd(count, 1, first=step)[0] for step, count in enumerate(counts)]
    return observed(frames)


def answers(predictor: OnnxPredictor, *, stored: bool = False) -> list[bytes]:
    """The paths of each frame; stored: each step's state is stored at once, as if other tracks followed."""
    found = []
    for seen in coming_and_going():
        found.append(predictor.predict(seen).position_m.tobytes())
        if stored:
            predictor._engine._remember_newest()
    return found


def test_the_state_of_tracks_that_go_on_is_where_the_last_step_left_it_and_not_lost_when_they_do_not() -> None:
    assert answers(OnnxPredictor(default_model())) == answers(OnnxPredictor(default_model()), stored=True)


@pytest.mark.parametrize("fails_at", range(9))
def test_a_step_that_raises_leaves_the_state_as_it_was(fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any kind of step: the same tracks as before, others, with new ones; half of its outputs are written."""
    predictor, wanted, run = OnnxPredictor(default_model()), answers(OnnxPredictor(default_model())), Bucket.run

    def broken(bucket: Bucket, count: int) -> None:
        run(bucket, count)
        for name, values in bucket.outputs.items():
            if name.endswith("_next"):
                values[...] = np.nan
        raise RuntimeError("broken")

    for step, seen in enumerate(coming_and_going()):
        if step == fails_at:
            with monkeypatch.context() as patched:
                patched.setattr(Bucket, "run", broken)
                with pytest.raises(RuntimeError, match="broken"):
                    predictor.predict(seen)
        assert predictor.predict(seen).position_m.tobytes() == wanted[step]
