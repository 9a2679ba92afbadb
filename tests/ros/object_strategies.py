"""hypothesis strategies for object lists: every mix of list lengths, frame ids in any script, all times that fit."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.ros.random_objects import random_predicted, random_tracked
from trajnet.ros.cdr import PredictedObjects, TrackedObjects

FRAME_IDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
STAMPS = st.integers(-(2**31) * 10**9, 2**31 * 10**9 - 1)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def tracked(draw: st.DrawFn) -> TrackedObjects:
    layout = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=6))
    classes, points = [c for c, _ in layout], [p for _, p in layout]
    return random_tracked(draw(SEEDS), classes, points, draw(FRAME_IDS), draw(STAMPS))


@st.composite
def predicted(draw: st.DrawFn) -> PredictedObjects:
    paths = st.lists(st.integers(0, 4), max_size=3)
    layout = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), paths), max_size=5))
    classes, points, poses = [c for c, _, _ in layout], [p for _, p, _ in layout], [q for _, _, q in layout]
    return random_predicted(draw(SEEDS), classes, points, poses, draw(FRAME_IDS), draw(STAMPS))
