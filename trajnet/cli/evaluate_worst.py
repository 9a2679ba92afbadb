"""trajnet evaluate --worst: the page of the worst objects, and the replays that its pictures link to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from trajnet.errors import ConfigError
from trajnet.evaluate.mined import ObjectSink, Sinks, WorstKeeper

if TYPE_CHECKING:
    from trajnet.evaluate.worst_page import Place


@contextmanager
def object_sinks(
    objects: Path | None, worst: int, page: Path | None
) -> Iterator[tuple[ObjectSink | None, WorstKeeper]]:
    """Yield what takes the scored objects, None where nobody asks for them, and what keeps the worst of them.

    objects: the file of their table. Raises ConfigError where the worst have no page to be shown on.
    """
    from trajnet.evaluate.object_table import ObjectTable

    if worst < 0:
        raise ConfigError(f"worst: expected a number of objects, got {worst}")
    if worst and page is None:
        raise ConfigError("worst: expected --report with a file for the page that shows them, got none")
    keeper = WorstKeeper(worst)
    with ExitStack() as stack:
        sinks: list[ObjectSink] = [keeper] if worst else []
        if objects is not None:
            sinks.append(stack.enter_context(ObjectTable(objects)))
        yield Sinks(sinks) if sinks else None, keeper


@dataclass(frozen=True)
class Replayed:
    """How the scenes of the worst objects are played: by the model of this name or file."""

    spec: str
    domain: bool
    self_judging: bool


def worst_page(path: Path, report: dict[str, Any], keeper: WorstKeeper, how: Replayed) -> str:
    """Return the page of a report with the worst objects first; their scenes are replayed into a folder beside it."""
    from trajnet.evaluate.html_report import page
    from trajnet.evaluate.worst_page import worst_places, worst_sections

    folder = path.with_name(f"{path.stem}_replays")
    files = _write_replays(folder, worst_places(keeper), how)

    def address(place: Place) -> str:
        # Percent signs in a fragment are read as a query's.
        wish = urlencode({"t": f"{place.time_s:g}", "track": place.track_id, "play": 0}, quote_via=quote)
        return f"{quote(folder.name)}/{quote(files[place.file])}#{wish}"

    return page(report, first=worst_sections(keeper, address))


def _write_replays(folder: Path, places: list[Place], how: Replayed) -> dict[Path, str]:
    """Write the replay of each scene, with the predictions of the frames of these places; return the pages' names."""
    import numpy as np

    from trajnet.datasets.files import load_scene
    from trajnet.inference import GuardOptions, load_predictor
    from trajnet.replay.html_report import write_report
    from trajnet.replay.replay import ReplayOptions
    from trajnet.replay.summary import run_replay

    options = ReplayOptions(rate=float("inf"), self_judging=how.self_judging)
    predictor, names = load_predictor(how.spec), dict[Path, str]()
    for file in dict.fromkeys(place.file for place in places):
        scene = load_scene(file, with_map=True)
        time_ms = (scene.timestamp_ns - scene.timestamp_ns[0]) // 1_000_000
        wanted_ms = [round(1000 * place.time_s) for place in places if place.file == file]
        frames = np.searchsorted(time_ms, wanted_ms).tolist()
        name = f"{file.name}.html"
        names[file] = name if name not in names.values() else f"{len(names)}-{name}"
        run = run_replay(scene, predictor, options, guard=GuardOptions(domain=how.domain))
        write_report(run, folder / names[file], keep=frames)
    return names
