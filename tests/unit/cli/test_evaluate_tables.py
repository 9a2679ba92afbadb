"""The tables of trajnet evaluate, from a report with two models and one class, word for word."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import pytest
from rich.console import Console

from trajnet.cli.evaluate import show
from trajnet.inference import GuardCounters


def entry(name: str, metric: float, **rows: Any) -> dict[str, Any]:
    """A model of a report: minADE_1 as given, and every other metric but minFDE_6 missing."""
    values = {"minADE_1": metric, "minFDE_6": 2.0 * metric}
    return {
        "model": name,
        "spec": name,
        "rows": {**asdict(GuardCounters(model_rows=90)), **rows},
        "metrics": values,
        "mean_over_scenes": {"minADE_1": 10.0 * metric},
        "per_horizon": {"1": {"minADE_1": metric / 4}, "2": values},
        "per_class": {"car": {"metrics": values}},
        "per_scene": {"a": values, "b": {}},
        "breakdown": {
            "class": {"car": {"share_of_objects": 1.0, "minADE_1": {"mean": metric, "share_of_error": 1.0}}},
            "second": {"0-1": {"share_of_objects": 1.0, "minADE_1": {"mean": metric, "share_of_error": 0.25}}},
        },
        "calibration": {
            "ECE_top_mode": metric / 10,
            "worst": {"class": "all", "horizon_s": 2.0, "level": 50.0, "covered": 61.5, "deviation_points": 11.5},
            "worst_of_classes": None,
            "coverage": [{"class": "car", "horizon_s": 2.0, "objects": 1200, "50": 61.5, "90": 88.0}],
            "reliability": [{"from": 0.2, "to": 0.4, "objects": 30, "stated": 0.3, "happened": 0.25}],
        },
    }


def report(dataset: str, *models: dict[str, Any]) -> dict[str, Any]:
    counts = {
        "whole": 1200,
        "by_horizon": {"1": 1300, "2": 1200},
        "by_class": {"car": 1200},
        "by_scene": {"a": 700, "b": 500},
    }
    return {"dataset": dataset, "split": "test", "counts": counts, "models": list(models)}


def shown(found: dict[str, Any], **options: bool) -> list[str]:
    """Return the printed lines that are not empty, with single blanks: rich decides how wide columns are."""
    console = Console(file=io.StringIO(), width=110)
    show(found, console, **options)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines() if line.strip()]


def test_a_row_for_each_metric_and_a_column_for_each_model() -> None:
    lines = shown(report("vru", entry("lstm", 0.5), entry("cv", 1.0)))
    assert lines[:2] == ["vru test: 1,200 objects, 2 s", "metric lstm cv"]
    assert lines[3] == "minADE_1 0.500 1.000"
    assert {"minFDE_1 - -", "minFDE_6 1.000 2.000"} <= set(lines)
    by_horizon = lines.index("by horizon (objects)")
    assert lines[by_horizon + 3 : by_horizon + 5] == [
        "minADE_1 1 s (1,300) 0.125 0.250",
        "minADE_1 2 s (1,200) 0.500 1.000",
    ]
    by_class = lines.index("by class at 2 s (objects)")
    assert lines[by_class + 3] == "minADE_1 car (1,200) 0.500 1.000"
    by_scene = lines.index("by scene at 2 s (objects)")
    assert lines[by_scene + 3 : by_scene + 5] == [
        "minADE_1 a (700) 0.500 1.000",
        "minADE_1 b (500) - -",
    ]
    worst = "coverage furthest from nominal over all at 2 s: 61.5 % in the 50 % region (+11.5 points)"
    assert lines[-2:] == [f"lstm: calibration error 0.050, {worst}", f"cv: calibration error 0.100, {worst}"]


@pytest.mark.parametrize(
    ("dataset", "first", "by_scene"),
    [
        ("eth_ucy", "eth_ucy test: 1,200 objects, 2 s, mean over scenes", True),
        ("apolloscape", "apolloscape test: 1,200 objects, 2 s", False),
        ("bag", "bag test: 1,200 objects, 2 s", False),
    ],
)
def test_scenes_are_told_apart_where_that_is_the_benchmark(dataset: str, first: str, by_scene: bool) -> None:
    lines = shown(report(dataset, entry("cv", 1.0)))
    assert " ".join(lines[: lines.index("metric cv")]) == first
    assert ("by scene at 2 s (objects)" in lines) == by_scene
    assert next(line for line in lines if line.startswith("minADE_1 ")).split()[-1] == (
        "10.000" if by_scene else "1.000"
    )


def test_where_the_error_sits_and_the_calibration_are_shown_if_asked() -> None:
    found = report("scenes", entry("lstm", 0.5), entry("cv", 1.0))
    plain, asked = shown(found), shown(found, breakdown=True, calibration=True)
    assert not [line for line in plain if line.startswith("by second")]
    assert "minADE_1 car (100%) 0.500 100% 1.000 100%" in asked
    assert "minADE_1 0-1 s 0.500 25% 1.000 25%" in asked
    assert "car 2 s 1,200 61.5 +11.5 88.0 -2.0" in asked
    assert "0.2 to 0.4 30 0.300 0.250" in asked
    assert [line for line in asked if "reliability" in line] == ["lstm: reliability of the most probable mode"]
    only = shown(report("scenes", entry("cv", 1.0)), calibration=True)  # baselines where there is nothing else
    assert [line for line in only if "reliability" in line] == ["cv: reliability of the most probable mode"]


def test_paths_that_came_from_the_fallback_are_said() -> None:
    failed = entry("lstm", 0.5, physics_rows=10, failures=2, last_failure="boom")
    *_, last = shown(report("scenes", failed))
    assert last.endswith("constant velocity stood in")
    joined = " ".join(shown(report("scenes", failed, entry("recorded", 1.0, physics_rows=10)))[-5:])
    assert "lstm gave no usable path for 10 of 100 rows (2 failed calls: boom); constant velocity stood in" in joined
    assert "recorded predictions cover 90 of 100 objects; only those are scored, for every model." in joined


def test_rows_outside_of_the_domain_are_told_apart_from_unusable_ones() -> None:
    from trajnet.cli.evaluate import _warn_of_fallback

    printed = io.StringIO()
    rows = {"physics_rows": 10, "outside_domain_rows": 7, "outside_class_rows": 7}
    _warn_of_fallback(entry("m", 1.0, **rows), Console(file=printed, width=400))
    assert "m was not asked about 7 rows outside of what it was trained on (7 of a class)" in printed.getvalue()
    assert "no usable path for 3 of 100 rows" in printed.getvalue()
