"""Hand-over of ids on recorded pedestrians that nothing was chosen on: the figures of docs/evaluation.md, loosely."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.datasets.files import load_scene
from trajnet.replay.faults import Fault, inject
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import Scene


def inherited(scene: Scene, fault: Fault | None, strength: float) -> tuple[int, int, int, int]:
    """Tracks that came back under a new id within the timeout, and those that got their own state; tracks of objects
    not seen before, and those that got another track's."""
    policy = TrackPolicy()
    store = TrackStore(policy)
    owner: dict[int, int] = {}  # slot -> the object that was in it
    seen_ns: dict[int, int] = {}
    ids: set[str] = set()
    back = right = new = wrong = 0
    for delivery in inject(scene, fault, strength, 0)[0]:
        frame, sent, _ = delivery.received()
        _, observations = store.update(frame, frame.timestamp_ns)
        assert observations is not None
        tracks = scene.row_track[sent.row].tolist()
        slots, resets = observations.slot.tolist(), observations.reset.tolist()
        for name, track, slot, reset in zip(frame.track_id, tracks, slots, resets, strict=True):
            if name in ids:
                continue
            ids.add(name)
            if frame.timestamp_ns - seen_ns.get(track, -(10**18)) <= policy.timeout_s * 1e9:
                back += 1
                right += not reset and owner[slot] == track
            else:
                new += 1
                wrong += not reset
        owner.update(zip(slots, tracks, strict=True))
        seen_ns.update(dict.fromkeys(tracks, frame.timestamp_ns))
    return back, right, new, wrong


@pytest.mark.parametrize(("strength", "at_least"), [(0.1, 0.93), (0.5, 0.90)])
def test_most_new_ids_inherit_their_own_state_and_few_get_anothers(
    data_dir: Path, strength: float, at_least: float
) -> None:
    files = sorted((data_dir / "eth_ucy" / "raw" / "val").glob("*.txt"))
    assert len(files) == 8
    scenes = [load_scene(file) for file in files]
    clean = [inherited(scene, None, 0.0) for scene in scenes]
    back, _, new, wrong = (sum(column) for column in zip(*clean, strict=True))
    assert (back, new) == (0, 522)
    assert wrong <= 0.03 * new
    for gap_s in (0.0, 0.4):
        switched = [inherited(scene, Fault("id_switch", (strength,), gap_s), strength) for scene in scenes]
        back, right, new, wrong = (sum(column) for column in zip(*switched, strict=True))
        assert back > 300
        assert right >= at_least * back
        assert wrong <= 0.04 * new
