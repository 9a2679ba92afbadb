"""trajnet replay with several models on one scene, or with a folder of scenes: pages and one table of it all."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajnet.errors import InputError, TrajnetError
from trajnet.evaluate.html_report import filled, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.replay.summary import Run


def compared_table(documents: list[dict[str, Any]]) -> Table:
    """Return a row for each figure and a column for each model. documents: those of the replays."""
    from rich import box
    from rich.table import Table

    from trajnet.replay.compare import compared

    found = compared(documents)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in found["models"]:
        table.add_column(name, justify="right", no_wrap=True)
    for label, values, digits in found["rows"]:
        form = ",g" if digits is None else f".{digits}f"
        table.add_row(label, *("-" if value is None else format(value, form) for value in values))
    return table


def scenes_below(folder: Path) -> list[Path]:
    """Return the scene files and the bags below a folder, sorted. Raises InputError if there are none."""
    from trajnet.datasets.files import find_scenes
    from trajnet.ros.bags import is_bag

    bags = [path for path in folder.rglob("*") if path.is_dir() and is_bag(path) and not _hidden(path, folder)]
    try:
        scenes = find_scenes(folder)
    except InputError:
        if not bags:
            raise
        scenes = []
    return sorted([*bags, *scenes])


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def page_of(scene: Path, folder: Path) -> Path:
    """Return where a scene's page is below the folder of pages: named like its file, so that no two are the same."""
    inside = scene.relative_to(folder)
    return inside.with_name(f"{inside.name}.html")


def replay_folder(
    folder: Path, play: Callable[[Path, Path | None], list[Run]], console: Console, pages: Path | None
) -> tuple[dict[str, Any], int]:
    """Replay every scene of a folder, print a table, and write an index of the pages; one that fails is named.

    play: replays a scene with every model and writes its page where one is asked for. pages: the folder of pages.
    Returns the document of all replays, and how many scenes failed.
    """
    from trajnet.replay.summary import document
    from trajnet.whole_file import write_text

    played: list[tuple[str, list[dict[str, Any]], str]] = []
    for scene in scenes_below(folder):
        page = None if pages is None else page_of(scene, folder)
        name = str(scene.relative_to(folder))
        try:
            runs = play(scene, None if pages is None or page is None else pages / page)
        except (TrajnetError, OSError) as error:
            console.print(f"{name}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            played.append((name, [], f"{error}"))
        else:
            played.append((name, [document(run) for run in runs], ""))
    failed = sum(bool(error) for _, _, error in played)
    console.print(summary_table(played))
    if failed:
        console.print(f"{failed} of {len(played)} scenes failed", style="red", highlight=False)
    if pages is not None:
        write_text(pages / "index.html", index_page(folder.name or str(folder), played, folder))
        console.print(f"Reports: {pages / 'index.html'}", highlight=False, soft_wrap=True)
    scenes = [{"file": name, "runs": found, "error": error or None} for name, found, error in played]
    return {"version": 1, "folder": str(folder), "failed": failed, "scenes": scenes}, failed


HEAD = ("scene", "model", "frames", "tracks", "p50 ms", "p99 ms", "missed", "ADE", "FDE", "best ADE", "CV ADE", "jump")


def summary_rows(played: list[tuple[str, list[dict[str, Any]], str]]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of HEAD for each scene and model; a scene that failed has its reason after its name."""
    for name, documents, error in played:
        if error:
            yield (name, "failed", *["-"] * (len(HEAD) - 2))
        for found in documents:
            mine, cv = (found["errors_m"][who]["groups"].get("all", {}) for who in ("model", "cv"))
            modes, total = found["errors_m"]["model"]["modes"], found["latency_ms"]["total"]
            errors = (mine.get("minADE_1"), mine.get("minFDE_1"), mine.get(f"minADE_{modes}"), cv.get("minADE_1"))
            jump_m = found["consistency"]["model"].get("all", {}).get("jump_m")
            yield (
                name, found["model"]["name"], f"{found['scene']['frames']:,}", f"{found['scene']['tracks']:,}",
                f"{total['p50']:.2f}", f"{total['p99']:.2f}", f"{found['deadline']['misses']:,}",
                *("-" if value is None else f"{value:.2f}" for value in (*errors, jump_m)),
            )  # fmt: skip


def summary_table(played: list[tuple[str, list[dict[str, Any]], str]]) -> Table:
    """Return a row for each scene and model."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="errors and jump in m", title_justify="left")
    for name in HEAD:
        table.add_column(name, justify="left" if name in HEAD[:2] else "right", no_wrap=True)
    for cells in summary_rows(played):
        table.add_row(*cells)
    return table


def index_page(title: str, played: list[tuple[str, list[dict[str, Any]], str]], folder: Path) -> str:
    """Return the page that links the report of each scene and says what went wrong with those that have none."""
    pages = {name: page_of(folder / name, folder).as_posix() for name, _, error in played if not error}
    rows = []
    for cells in summary_rows(played):
        first = html.escape(cells[0])
        link = f'<a href="{html.escape(_address(pages[cells[0]]))}">{first}</a>' if cells[0] in pages else first
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in (link, *map(html.escape, cells[1:]))) + "</tr>")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEAD)
    failed = [(name, error) for name, _, error in played if error]
    sections = [section("Scenes", "", [f"<table><tr>{head}</tr>{''.join(rows)}</table>"])]
    if failed:
        text = "".join(f"<p><b>{html.escape(name)}</b>: {html.escape(error)}</p>" for name, error in failed)
        sections.append(section("Failed", "", [text]))
    about = "Errors of the most probable path, of the closest one and of constant velocity, and its jump, in m."
    return filled(f"{title} · trajnet replay", f"{len(played)} scenes. {about}", sections)


def _address(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
