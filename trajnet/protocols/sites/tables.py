"""The report of sites as tables of text, for the terminal and for the page; the worst comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trajnet.protocols.sites.breakdown import CELLS
from trajnet.protocols.sites.table import Table

#: Stands beside a site that a model was trained on: its recordings, others of its data set, or nobody knows.
MARKS = {"no": "", "same data set": " ~", "same recordings": " *", "unknown": " ?"}
MARK_NOTE = "Trained on: * the same recordings, ~ others of the same data set, ? not known."


def summary_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield what concerns all sites: the cells that are worse, their number by condition, targets, absent sites."""
    yield worse_table(report)
    if any(found["map_judged"] for found in report["headline"].values()):
        yield map_table(report)
    for model in _models(report):
        yield _count_table(report, model)
    for model in _models(report):
        yield _target_table(report, model)
    if report["absent"]:
        rows = tuple((name, why) for name, why in report["absent"].items())
        yield Table("Not at hand", ("site", "why"), rows)


def headline_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield for each model how many cells are worse than physics, and with the map than without where both ran."""
    for model, found in report["headline"].items():
        yield (
            f"{model}: {found['worse']} of {found['judged']} cells worse than the best physics"
            f" ({found['worse_trained']} of them where it was trained)"
        )
        if found["map_judged"]:
            yield f"{model}: {len(found['map_cells'])} of {found['map_judged']} cells worse with the map than without"


def fallback_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each site and model whose paths were partly constant velocity's."""
    for site in report["sites"]:
        for model in _models(report):
            rows = [c["models"][model]["rows"] for c in site["conditions"] if model in c["models"]]
            stood_in, served = sum(r["physics"] for r in rows), sum(r["model"] for r in rows)
            if stood_in:
                yield (
                    f"{site['site']}: constant velocity stood in for {stood_in:,} of {stood_in + served:,} rows of "
                    f"{model}, which are outside of its domain or had no usable path"
                )


def worse_table(report: Mapping[str, Any]) -> Table:
    """Return every cell in which a model is worse than physics, the largest difference first."""
    cells = [(model, cell) for model, found in report["headline"].items() for cell in found["cells"]]
    cells.sort(key=lambda each: -each[1]["difference_m"])
    rows = tuple(
        (
            f"{cell['site']}{MARKS[cell['trained']]}", cell["cell"], cell["condition"], model, f"{cell['objects']:,}",
            f"{cell['tracks']:,}", f"{cell['top_ade_m']:.3f}", f"{cell['physics_ade_m']:.3f}", cell["physics"],
            _signed(cell["difference_m"]), _interval(cell),
        )
        for model, cell in cells
    )  # fmt: skip
    head = ("site", "cell", "condition", "model", "objects", "tracks", "top", "physics", "which", "difference", "95 %")
    return Table("Cells worse than the best physics", head, rows, f"Mean displacement in m. {MARK_NOTE}")


def map_table(report: Mapping[str, Any]) -> Table:
    """Return every cell in which a top path with the map is worse than without, the largest difference first."""
    cells = [(model, cell) for model, found in report["headline"].items() for cell in found["map_cells"]]
    cells.sort(key=lambda each: -each[1]["difference_m"])
    rows = tuple(
        (
            f"{cell['site']}{MARKS[cell['trained']]}", cell["cell"], cell["condition"], model, f"{cell['objects']:,}",
            f"{cell['tracks']:,}", _metres(cell["top_ade_m"]), _metres(cell["without_map_ade_m"]),
            _signed(cell["difference_m"]), _interval(cell),
        )
        for model, cell in cells
    )  # fmt: skip
    head = ("site", "cell", "condition", "model", "objects", "tracks", "with map", "without", "difference", "95 %")
    return Table("Cells worse with the map than without", head, rows, f"Top path, mean displacement in m. {MARK_NOTE}")


def site_tables(report: Mapping[str, Any], *, everything: bool = False) -> Iterator[Table]:
    """Yield the tables of each site and model.

    everything: of all conditions and divisions; else cells and calibration as recorded, or under the first condition.
    """
    for site in report["sites"]:
        for model in _models(report):
            shown = [c for c in site["conditions"] if model in c["models"]]
            title = f"{site['site']}{MARKS[site['trained'][model]['trained_on_it']]}, {model}"
            yield _condition_table(site, model, title)
            for condition in shown if everything else shown[:1]:
                judged = condition["models"][model]
                name = f"{title}, {condition['condition']}"
                for division, parts in judged["divisions"].items():
                    if division == CELLS or (everything and division != "whole"):
                        yield _part_table(f"{name}: by {division}", parts, site["horizon_s"], few=everything)
                yield _calibration_table(f"{name}: calibration", judged)
                yield _event_table(f"{name}: going and staying", judged)


def site_line(site: Mapping[str, Any]) -> str:
    """Return what a site is, in one sentence."""
    without, missing = len(site["maps_left_out"]), len(site["files_left_out"])
    has = ("map" if site["has_map"] else "no map") + (f" (that of {without} files cannot be drawn)" if without else "")
    files = f"{site['files']} files" + (f" ({missing} more cannot be played)" if missing else "")
    velocity = "measured velocity" if site["has_velocity"] else "no measured velocity"
    return (
        f"{site['site']}: {site['title']}; {site['objects']:,} objects of {site['tracks']:,} tracks in "
        f"{files}, a frame in {site['every_s']:g} s, scored up to {site['horizon_s']:g} s; "
        f"{has}, {velocity}"
    )


def _models(report: Mapping[str, Any]) -> list[str]:
    return [entry["model"] for entry in report["models"]]


def _count_table(report: Mapping[str, Any], model: str) -> Table:
    names = list(dict.fromkeys(c["condition"] for site in report["sites"] for c in site["conditions"]))
    rows = []
    for site in report["sites"]:
        of = {c["condition"]: c["models"].get(model) for c in site["conditions"]}
        cells = ["-" if of[n] is None else f"{len(of[n]['worse'])}/{of[n]['cells_judged']}" for n in names]
        rows.append((f"{site['site']}{MARKS[site['trained'][model]['trained_on_it']]}", *cells))
    by = report["headline"][model]["by_condition"]
    rows.append(("all", *(f"{by[n]['worse']}/{by[n]['judged']}" if n in by else "-" for n in names)))
    note = (
        f"Worse than physics / judged (with {report['min_tracks']} tracks or more); - where there is nothing to hide."
    )
    return Table(f"{model}: cells by condition", ("site", *names), tuple(rows), note)


def _target_table(report: Mapping[str, Any], model: str) -> Table:
    """Return the targets at each site, as recorded or under the site's first condition."""
    columns, names = [], dict[str, str]()
    for site in report["sites"]:
        first = next((c for c in site["conditions"] if model in c["models"]), None)
        found = {} if first is None else {t["name"]: t for t in first["models"][model]["targets"]}
        names |= {name: f"{name} ({target['limit']})" for name, target in found.items()}
        columns.append((f"{site['site']}{MARKS[site['trained'][model]['trained_on_it']]}", found))
    rows = tuple((text, *(_target(found.get(name)) for _, found in columns)) for name, text in names.items())
    note = "Under the first condition. met, NOT: not met, few: too few tracks to tell, -: nothing to judge by."
    return Table(f"{model}: targets", ("target", *(name for name, _ in columns)), rows, note)


def _target(target: Mapping[str, Any] | None) -> str:
    if target is None or target["value"] is None:
        return "-"
    word = {True: "met", False: "NOT", None: "few"}[target["met"]]
    digits = {"%": 1, "m": 3}.get(target["unit"], 0)
    return f"{target['value']:.{digits}f} {word}"


def _condition_table(site: Mapping[str, Any], model: str, title: str) -> Table:
    first_s, last_s = _ends(site)
    head = (
        "condition", "worse", "physics", "top", "best 6", "moving %", "moving best %", "standing m", "walking %",
        *_EVENTS.values(), f"90 % at {first_s} s", f"90 % at {last_s} s", "jump m", "flips/min",
    )  # fmt: skip
    rows = []
    for condition in site["conditions"]:
        judged = condition["models"].get(model)
        if judged is None:
            rows.append((f"{condition['condition']} ({condition['left_out']})", *("-",) * (len(head) - 1)))
            continue
        whole, all_events = judged["divisions"]["whole"]["all"], judged["events"]["all"]
        steady = judged["steadiness"].get("all", {})
        target = {t["name"]: t["value"] for t in judged["targets"]}
        last = judged["calibration"][-1]
        rows.append(
            (
                condition["condition"],
                f"{len(judged['worse'])}/{judged['cells_judged']}",
                *(_metres(whole[key]) for key in ("physics_ade_m", "top_ade_m", "best_ade_m")),
                _number(target["moving vehicles, top path vs cv"], 1),
                _number(target["moving vehicles, best of six vs cv"], 1),
                _number(target["standing objects, top path minus physics"], 3),
                _number(target["walking pedestrians, top path vs physics"], 1),
                *(_percent(all_events[key]["share"]) for key in _EVENTS),
                _percent(judged["calibration"][0]["covered_90"]),
                _percent(last["covered_90"]),
                _number(steady.get("jump_m"), 3),
                _number(steady.get("flips_per_object_minute"), 1),
            )
        )  # fmt: skip
    return Table(f"{title}: conditions", head, tuple(rows), site_line(site))


#: Events and their columns.
_EVENTS = {
    "false_motion_0.5m": "moves > 0.5 m %",
    "false_motion_2m": "> 2 m %",
    "missed_start": "missed start %",
    "false_stop": "false stop %",
    "missed_stop": "missed stop %",
}


def _ends(site: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first and the last horizon at which coverage is judged, as text."""
    for condition in site["conditions"]:
        for judged in condition["models"].values():
            rows = judged["calibration"]
            return f"{rows[0]['horizon_s']:g}", f"{rows[-1]['horizon_s']:g}"
    return "-", "-"


def _part_table(title: str, parts: Mapping[str, Mapping[str, Any]], horizon_s: float, *, few: bool) -> Table:
    """Return the parts of a division; those with too few tracks only if few, else they are counted in the note."""
    shown = {name: part for name, part in parts.items() if few or part["judged"]}
    hidden = [part for name, part in parts.items() if name not in shown]
    rows = tuple(
        (
            name, f"{part['objects']:,}", f"{part['tracks']:,}", _metres(part["physics_ade_m"]), part["physics"],
            _metres(part["top_ade_m"]), _metres(part["best_ade_m"]), _signed(part["difference_m"]), _interval(part),
            _verdict(part), _metres(part["physics_fde_m"]), _metres(part["top_fde_m"]), _metres(part["best_fde_m"]),
        )
        for name, part in shown.items()
    )  # fmt: skip
    head = (
        "part", "objects", "tracks", "physics", "which", "top", "best 6", "difference", "95 %", "", "physics FDE",
        "top FDE", "best 6 FDE",
    )  # fmt: skip
    note = f"Mean displacement up to {horizon_s:g} s and displacement then (FDE), in m."
    if hidden:
        note += f" Too few tracks: {len(hidden)} parts with {sum(part['objects'] for part in hidden):,} objects."
    return Table(title, head, rows, note)


def _verdict(part: Mapping[str, Any]) -> str:
    if not part["judged"]:
        return "few"
    return "WORSE" if part["worse"] else "better" if part["better"] else "even"


def _calibration_table(title: str, judged: Mapping[str, Any]) -> Table:
    rows = tuple(
        (f"{r['horizon_s']:g} s", _percent(r["covered_50"]), _percent(r["covered_90"]), f"{r['nll']:.2f}")
        for r in judged["calibration"]
    )
    return Table(title, ("horizon", "in 50 % region, %", "in 90 % region, %", "NLL, nats"), rows)


def _event_table(title: str, judged: Mapping[str, Any]) -> Table:
    rows = tuple(
        (group, *(f"{_percent(found[key]['share'])} of {found[key]['objects']:,}" for key in _EVENTS))
        for group, found in judged["events"].items()
    )
    return Table(title, ("objects", *_EVENTS.values()), rows)


def _interval(part: Mapping[str, Any]) -> str:
    return f"{_signed(part['difference_low_m'])} to {_signed(part['difference_high_m'])}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _metres(value: float) -> str:
    return f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
