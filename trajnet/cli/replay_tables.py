"""What trajnet replay prints: one live line while it runs, then latency by stage, errors, faults and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trajnet.datasets.windows import LONGEST_GAP_S
from trajnet.inference.domain import outside_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trajnet.replay.replay import FrameTiming

#: Seconds between two updates of the live line; more often would disturb what it reports.
LIVE_PERIOD_S = 0.25


@contextmanager
def live_line(console: Console, frames: int, budget_ms: float) -> Iterator[Callable[[FrameTiming], None] | None]:
    """Yield a callback that keeps one status line up to date on a terminal; None where the output goes elsewhere."""
    if not console.is_terminal:
        yield None
        return
    from rich.live import Live
    from rich.text import Text

    total_ms: list[float] = []
    shown_ns = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def on_frame(timing: FrameTiming) -> None:
            nonlocal shown_ns
            total_ms.append(timing.stage_ns("total") * 1e-6)
            if timing.finished_ns - shown_ns < LIVE_PERIOD_S * 1e9:
                return
            shown_ns = timing.finished_ns
            ordered = sorted(total_ms)
            missed = sum(v > budget_ms for v in ordered)
            parts = (
                f"frame {timing.index + 1}/{frames}", f"now {total_ms[-1]:.2f} ms", f"over budget {missed}",
                f"{timing.objects} objects", f"p50 {ordered[len(ordered) // 2]:.2f}", f"max {ordered[-1]:.2f}",
            )  # fmt: skip
            live.update(Text(that_fit(parts, console.width), no_wrap=True, overflow="crop"), refresh=True)

        yield on_frame


def that_fit(parts: Sequence[str], width: int) -> str:
    """Return the first of these parts in a line that is no wider than a terminal: none of them is cut."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}".lstrip()
        if len(longer) > width:
            break
        line = longer
    return line


def show(found: dict[str, Any], console: Console) -> None:
    """Print the document of a replay: latency by stage, counts, errors next to constant velocity."""
    counted = (
        "Service time in ms"
        if found["load"]["rate"] == "max"
        else "Latency in ms from the scheduled time of each frame"
    )
    console.print(f"\n[bold]{counted}[/]", _latency_table(found), sep="\n")
    _show_errors(found, console)
    _show_faults(found, console)
    lines = [*_frame_lines(found), *_path_lines(found), *_machine_lines(found["hardware"]), *_failure(found["guard"])]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def _frame_lines(found: dict[str, Any]) -> list[str]:
    """Return what became of the frames, a line for each count."""
    load, frames, deadline = found["load"], found["frames"], found["deadline"]
    return [
        f"deadline   {deadline['misses']} of {deadline['frames']} frames over {deadline['budget_ms']:g} ms",
        f"frames     {frames['served']} served, {frames['dropped']} dropped, {frames['late']} late",
        f"backlog    at most {frames['backlog_max']} frames",
        f"warm-up    the first {load['warmup_frames']} frames are not counted",
        f"agents     {_agents(load)}",
    ]


def _path_lines(found: dict[str, Any]) -> list[str]:
    """Return which predictor the paths came from, how steady they were, and what failed."""
    guard, name = found["guard"], found["model"]["name"]
    return [
        f"paths      {guard['model_rows']} {name}, {guard['physics_rows']} fall-back, {guard['stale_rows']} stale",
        *_outside(name, guard),
        *_self_judging(found["self_judging"]),
        *_steadiness(found),
        f"failures   {guard['failures']} calls, {guard['non_finite_rows']} paths not finite",
    ]


def _outside(name: str, guard: dict[str, Any]) -> list[str]:
    """Return one line where objects were outside of what the model was trained on."""
    said = outside_words(name, guard)
    return [f"domain     {said} (--ignore-domain asks the model)"] if said else []


def _self_judging(judging: dict[str, Any]) -> list[str]:
    """One line about how often the object's own past errors put another expert first, where there were any."""
    if not judging["evident_rows"]:
        return []
    led = f"constant velocity led {judging['velocity_rows']}, standing {judging['standing_rows']}"
    return [f"judged     {judging['evident_rows']} rows by their own past errors: {led}"]


def _machine_lines(hardware: dict[str, Any]) -> list[str]:
    from trajnet.timing.hardware import runtime_words

    return [
        f"hardware   {hardware['cpu']}, {hardware['cores_usable']} of {hardware['cores']} cores",
        f"runtime    {runtime_words(hardware)}",
        *_stolen(hardware),
    ]


def _failure(guard: dict[str, Any]) -> list[str]:
    """Return one line with the last failed call's error where a call has failed."""
    return [f"           the last: {guard['last_failure']}"] if guard["last_failure"] else []


def _stolen(hardware: dict[str, Any]) -> list[str]:
    """One line where a hypervisor gave the cores to others: what it took is in the tails above."""
    if not hardware["stolen_s"]:
        return []
    return [f"stolen     {hardware['stolen_s']:.2f} s of these cores went to other guests of the host meanwhile"]


def _agents(load: dict[str, Any]) -> str:
    low, high = load["agents_per_frame_min"], load["agents_per_frame_max"]
    if low == high:
        return f"exactly {high} in every frame"
    asked = load["agents_asked"]
    exactly = "" if asked is None else f", exactly {asked} in every frame that has any"
    return f"{low} to {high} per frame, {load['agents_per_frame_mean']:.1f} on average{exactly}"


def _latency_table(found: dict[str, Any]) -> Table:
    table = _table()
    for column in ("stage", "p50", "p95", "p99", "max", "frames"):
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    for stage, figures in found["latency_ms"].items():
        values = [f"{figures[k]:.2f}" for k in ("p50", "p95", "p99", "max")]
        name = "track update" if stage == "tracks" else stage
        table.add_row(name, *values, str(figures["count"]), style="bold" if stage == "total" else None)
    return table


def _show_errors(found: dict[str, Any], console: Console) -> None:
    mine = found["errors_m"]["model"]
    if not mine["groups"]:
        console.print(
            "There is nothing to compare paths with: no object is recorded in a frame and for "
            f"{mine['horizon_s']:g} s after it, at least every {LONGEST_GAP_S:g} s.\n",
            highlight=False,
            soft_wrap=True,
        )
        return
    columns = _error_columns(found)
    table = _table()
    table.add_column("objects", no_wrap=True)
    table.add_column("paths", justify="right", no_wrap=True)
    for name, (_, k) in columns.items():
        table.add_column(f"{name}\nminADE_{k}/minFDE_{k}", justify="right", no_wrap=True)
    for group, errors in mine["groups"].items():
        found_by = [(who["groups"][group], k) for who, k in columns.values()]
        cells = [f"{of[f'minADE_{k}']:.2f} / {of[f'minFDE_{k}']:5.2f}" for of, k in found_by]
        table.add_row(group, f"{errors['count']:,}", *cells, style="bold" if group == "all" else None)
    console.print(f"[bold]Error against the recorded future in m, {mine['horizon_s']:g} s ahead[/]", table, sep="\n")


def _error_columns(found: dict[str, Any]) -> dict[str, tuple[dict[str, Any], int]]:
    """Return for each column's title whose errors it shows, and of the best of how many paths."""
    errors_m, modes = found["errors_m"], found["model"]["modes"]
    columns = {"most probable": (errors_m["model"], 1)}
    if modes > 1:
        columns[f"best of {modes}"] = (errors_m["model"], modes)
    if found["model"]["name"] != "cv":
        columns["constant velocity"] = (errors_m["cv"], 1)
    return columns


def _steadiness(found: dict[str, Any]) -> list[str]:
    """One line about how steady the paths were from frame to frame."""
    mine, cv = (found["consistency"][who].get("all") for who in ("model", "cv"))
    if mine is None or cv is None:
        return []
    jumps = f"the best path jumps {mine['jump_m']:.2f} m between frames (constant velocity {cv['jump_m']:.2f})"
    return [
        f"steadiness {jumps}, the best mode flips {mine['flips_per_object_minute']:.1f} times per object and minute"
    ]


def _show_faults(found: dict[str, Any], console: Console) -> None:
    """Print a row for each fault and strength: errors next to those without it, service time, and what was counted."""
    if "faults" not in found:
        return
    runs = found["faults"]["runs"]
    table = _table()
    for column in ("fault", "minADE_1", "without", "no path", "p50 ms", "p99 ms", "counted"):
        words = column in ("fault", "counted")
        table.add_column(column, justify="left" if words else "right", no_wrap=column != "counted")
    for run in runs:
        table.add_row(*_fault_cells(run))
    console.print(f"[bold]Under faults, {runs[0]['judged']:,} objects and instants in every row[/]", table, sep="\n")


def _fault_cells(run: dict[str, Any]) -> list[str]:
    name = run["fault"] if run["fault"] == "none" else f"{run['fault']} {run['strength']:g}"
    errors_m = (run["errors_m"]["minADE_1"], run["errors_m_without"]["minADE_1"])
    errors = ("-" if value is None else f"{value:.2f}" for value in errors_m)
    times = (f"{run['service_ms'][q]:.2f}" for q in ("p50", "p99"))
    return [name, *errors, f"{run['missing_share']:.1%}", *times, counted(run["counters"])]


def counted(counters: dict[str, Any]) -> str:
    """Return the decisions that were taken at all, beside those of every frame."""
    usual = ("frames", "calls", "model_rows", "last_failure")
    return ", ".join(f"{name} {value}" for name, value in counters.items() if value and name not in usual)


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False)
