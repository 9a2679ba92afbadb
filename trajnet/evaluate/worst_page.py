"""The worst objects of an evaluation as sections of a page: a picture, the figures, and a link to where it happened."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import files_of_scenes
from trajnet.evaluate.html_report import section
from trajnet.evaluate.manoeuvres import MANOEUVRES
from trajnet.evaluate.mined import CRITERIA, ObjectRows, WorstKeeper, WorstObjects, worst_rows
from trajnet.picture import CloseUp, close_up_picture
from trajnet.tabular.frames import EXPERT_NAMES, SOURCE_NAMES
from trajnet.types import CLASS_NAMES, Scene, Source

TITLES = {"error": "Largest errors", "false_motion": "Most false motion", "surprise": "Most surprising"}
#: What the lines of the pictures are.
KEY = (
    "Blue box: the object. Dark line: its last 3 s. Dashed: what it did next. Orange: predicted paths, with their "
    "probabilities. Grey: others with their last 3 s, and the map."
)


class Place(NamedTuple):
    """Where an object of the page is: its scene's file, seconds from the first frame, and its track."""

    file: Path
    time_s: float
    track_id: str


#: Returns the address that shows a place, or None where nothing does.
Link = Callable[[Place], str | None]


def worst_places(keeper: WorstKeeper) -> list[Place]:
    """Return where each kept object is, in the order of the keeper."""
    if keeper.kept is None:
        return []
    return [_place(keeper, row) for row in range(len(keeper.kept))]


def worst_sections(keeper: WorstKeeper, link: Link) -> Iterator[str]:
    """Yield a section of HTML for each criterion."""
    for criterion, meaning in CRITERIA.items():
        found = [] if keeper.kept is None else worst_rows(keeper.kept.rows, criterion, keeper.worst).tolist()
        note = f"Of {keeper.model}, by the {meaning}; of each track only its worst instant. {KEY}"
        cards = [_card(keeper, row, criterion, link) for row in found] or ["<p>There is none.</p>"]
        yield section(TITLES[criterion], note[0].upper() + note[1:], cards)


def _card(keeper: WorstKeeper, row: int, criterion: str, link: Link) -> str:
    kept, place = keeper.kept, _place(keeper, row)
    assert kept is not None  # there is a row
    rows, address = kept.rows, link(place)
    where = f"{rows.scene_id[row]}, {place.time_s:.1f} s"
    if address is not None:
        where = f'<a href="{html.escape(address)}">{html.escape(where)}</a>'
    else:
        where = html.escape(where)
    title = f"{rows.measured(criterion)[row]:.2f} {'nats' if criterion == 'surprise' else 'm'}"
    picture = close_up_picture(_scene(place.file), _close_up(kept, row, _scene(place.file)))
    facts = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in _facts(rows, row))
    return f"<h3>{title} · {html.escape(place.track_id)} · {where}</h3>{picture}<table class='facts'>{facts}</table>"


def _facts(rows: ObjectRows, row: int) -> list[tuple[str, str]]:
    source = SOURCE_NAMES[rows.source[row]]
    if rows.expert is not None and rows.source[row] == Source.JUDGED:
        source += f", {EXPERT_NAMES[rows.expert[row]].replace('_', ' ')} most probable"
    return [
        ("object", f"{CLASS_NAMES[rows.object_class[row]]}, {MANOEUVRES[rows.manoeuvre[row]].replace('_', ' ')}"),
        ("now", f"{rows.speed_mps[row]:.1f} m/s, seen for {rows.seen_for_s[row]:.1f} s"),
        ("mean / final error", f"{rows.top_ade_m[row]:.2f} / {rows.top_fde_m[row]:.2f} m"),
        ("best of all modes", f"{rows.best_ade_m[row]:.2f} / {rows.best_fde_m[row]:.2f} m"),
        ("path ends, object ends", f"{rows.top_end_m[row]:.1f} m, {rows.true_end_m[row]:.1f} m away"),
        ("likelihood", f"{rows.nll[row]:.2f} nats, confidence {rows.confidence[row]:.0%}"),
        ("path from", source),
    ]  # fmt: skip


def _place(keeper: WorstKeeper, row: int) -> Place:
    assert keeper.kept is not None  # there is a row
    rows = keeper.kept.rows
    scene_id = str(rows.scene_id[row])
    file = files_of_scenes([scene_id], keeper.units[row].files)[scene_id]
    begin_ns = int(_scene(file).timestamp_ns[0])
    time_s = (int(rows.timestamp_ns[row]) - begin_ns) // 1_000_000 / 1000  # in the milliseconds of the replay's page
    return Place(file, time_s, str(rows.track_id[row]))


@lru_cache(maxsize=8)
def _scene(file: Path) -> Scene:
    return load_scene(file, with_map=True)


def _close_up(kept: WorstObjects, row: int, scene: Scene) -> CloseUp:
    return CloseUp(
        index=int(np.searchsorted(scene.timestamp_ns, kept.rows.timestamp_ns[row])),
        track=scene.track_id.index(str(kept.rows.track_id[row])),
        path_m=kept.paths.position_m[row],
        probability=kept.paths.probability[row],
        future_m=kept.future_m[row],
        future_valid=kept.future_valid[row],
    )
