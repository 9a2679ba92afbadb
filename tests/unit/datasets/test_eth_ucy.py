"""ETH/UCY files, Social GAN's windows, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frames import scene
from tests.unit.datasets.text_files import write
from trajnet.datasets.eth_ucy import ETH_UCY, ETH_UCY_SCENES, TEST_WINDOWS, read_eth_ucy, social_gan_rows
from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.types import ObjectClass


def test_eth_ucy_frames_are_four_tenths_of_a_second_apart(tmp_path: Path) -> None:
    recorded = read_eth_ucy(write(tmp_path / "a.txt", "800\t2.0\t3.5\t-1\n780\t1.0\t1.25\t2\n780\t2.0\t3.0\t-1\n"))
    assert recorded.timestamp_ns.tolist() == [31_200_000_000, 32_000_000_000]
    assert recorded.frame_number.tolist() == [780, 800]
    assert sorted(recorded.track_id) == ["1", "2"]
    assert set(recorded.object_class.tolist()) == {ObjectClass.PEDESTRIAN}
    assert not recorded.yaw_valid.any()
    assert not recorded.velocity_valid.any()
    last = recorded.frame(1)
    assert last.track_id == ("2",)
    assert last.position_m.tolist() == [[3.5, -1.0]]


def test_ids_that_are_one_number_are_one_track(tmp_path: Path) -> None:
    assert read_eth_ucy(write(tmp_path / "a.txt", "0 7 0 0\n10 7.0 1 0\n")).track_id == ("7",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0 1 2.0 3.0\n10 1 2.0\n", r"line 2: expected 4 columns, got 3"),
        ("0 1 2.0 3.0\n10 1 x 3.0\n", r"line 2: expected a number as x \(column 2\), got 'x'"),
        ("0 1 2.0 3.0\n\n10 1 2.0 nan\n", r"line 3: expected a finite y"),
        ("0 1 2.0 inf\n", r"line 1: expected a finite y"),
        ("nan 1 2.0 3.0\n", r"line 1: expected a finite frame"),
        ("0.5 1 2.0 3.0\n", r"line 1: expected a whole number as frame"),
        ("1e300 1 2.0 3.0\n", r"line 1: expected a whole number as frame"),
        ("0 1 2.0 3.0\n6 1 2.0 3.0\n", r"line 2: expected frame numbers 10 apart"),
        ("0 1 2.0 3.0\n0 1.0 2.5 3.0\n", "'1' twice in frame 0"),
        (b"0 1 2.0 3.0\n10 1 \xff 3.0\n", "expected UTF-8 text, got byte 0xff at offset 17"),
    ],
)
def test_bad_files_are_one_clear_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        load_scene(write(tmp_path / "zara.txt", content))
    assert "zara" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_social_gan_rule_by_hand() -> None:
    # Windows of 2 + 1 frames. Frames 0-2: only a is in all three: one alone does not count. Frames 1-3: a and b.
    # Frames 2-4: b misses frame 4, c is in 2 and 4 only. Frames 3-5: a, d; the hole in time before 5 does not matter.
    walk: dict[str, dict[int, tuple[float, float]]] = {
        "a": {i: (i, 0.0) for i in range(6)},
        "b": {i: (i, 1.0) for i in (1, 2, 3)},
        "c": {i: (i, 2.0) for i in (2, 4)},
        "d": {i: (i, 3.0) for i in (3, 4, 5)},
    }
    made = scene([0.0, 0.4, 0.8, 1.2, 1.6, 9.0], walk)
    rows = social_gan_rows(made, observed=2, predicted=1)
    found = [(made.track_id[made.row_track[r]], int(made.row_frame[r])) for r in rows]
    assert found == [("a", 2), ("b", 2), ("a", 4), ("d", 4)]
    assert len(social_gan_rows(made)) == 0  # fewer than 20 frames


def test_the_official_windows_and_the_folds() -> None:
    assert TEST_WINDOWS == {"eth": 181, "hotel": 1_053, "univ": 24_334, "zara1": 2_253, "zara2": 5_833}
    assert ETH_UCY.splits["all"] == tuple(f"{scene}/test" for scene in ETH_UCY_SCENES)
    assert ETH_UCY.splits["zara1"] == ("zara1/test",)
