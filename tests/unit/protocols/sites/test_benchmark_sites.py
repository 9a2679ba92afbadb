"""The benchmark of sites from end to end: the headline, the report, the tables and the command."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene
from trajnet.arrays import concat
from trajnet.cli import main as cli
from trajnet.cli.benchmark_sites import printed
from trajnet.cli.terminal import Console
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import ConfigError, InputError
from trajnet.inference import ConstantVelocity, load_predictor
from trajnet.json_safe import json_safe
from trajnet.models import default_model
from trajnet.protocols.sites import benchmark, breakdown, play
from trajnet.protocols.sites.benchmark import SiteOptions, benchmark_sites
from trajnet.protocols.sites.breakdown import CELLS, part_figures
from trajnet.protocols.sites.conditions import CONDITIONS, Condition
from trajnet.protocols.sites.page import page
from trajnet.protocols.sites.scores import Scores
from trajnet.protocols.sites.site_list import Site, sites_at_hand
from trajnet.protocols.sites.survey import Survey, survey
from trajnet.protocols.sites.tables import (
    fallback_lines,
    headline_lines,
    map_table,
    site_line,
    site_tables,
    summary_tables,
    worse_table,
)
from trajnet.scenes import write_scene
from trajnet.tracking.store import Observations
from trajnet.types import Prediction


class Runaway(ConstantVelocity):
    """A bad predictor: everything ends 30 m further east than constant velocity says."""

    name = "runaway"

    def predict(self, observations: Observations) -> Prediction:
        one = super().predict(observations)
        east_m = np.stack([5.0 * self.time_s, 0.0 * self.time_s], axis=-1)
        return replace(one, position_m=one.position_m + east_m)


class Misled(Runaway):
    """Goes wrong where it is shown a map, and for nobody else."""

    name = "misled"
    requirements = InputRequirements(view=MapView())

    def predict(self, observations: Observations) -> Prediction:
        assert observations.surroundings is not None
        right, wrong = ConstantVelocity.predict(self, observations), super().predict(observations)
        seen = observations.surroundings.map_valid[:, None, None, None]
        return replace(right, position_m=np.where(seen, wrong.position_m, right.position_m))


MADE = {"runaway": Runaway, "fan": Fan, "misled": Misled}


@pytest.fixture(autouse=True)
def made_predictors(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: str, *, time_s: np.ndarray | None = None) -> Any:
        made = MADE.get(spec)
        if made is None:
            return load_predictor(spec, time_s=time_s)
        return made() if time_s is None else made(time_s)

    monkeypatch.setattr(benchmark, "load_predictor", load)
    monkeypatch.setattr(play, "load_predictor", load)
    play._predictor.cache_clear()


@pytest.fixture
def few_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of three tracks are judged: the scenes of these tests are small."""
    monkeypatch.setattr(breakdown, "MIN_TRACKS", 3)


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("crossing")
    for name in ("a", "b"):
        write_scene(crossing_scene(scene_id=name), folder / f"{name}.parquet")
    return sites_at_hand([], [("crossing", folder)], ["crossing"])[0][0]


def scores(error_m: np.ndarray) -> Scores:
    zero = np.zeros((len(error_m), 1))
    return Scores(error_m, error_m, error_m / 2, error_m / 2, error_m, error_m, zero, zero)


def figures(model_m: np.ndarray, physics_m: dict[str, np.ndarray], track: np.ndarray) -> dict[str, Any]:
    rows = np.ones(len(track), np.bool_)
    return part_figures(rows, scores(model_m), {n: scores(m) for n, m in physics_m.items()}, track, 0)


def test_a_part_is_worse_better_or_even() -> None:
    track = np.repeat(np.arange(40), 5)
    random = np.random.default_rng(0)
    physics = {"cv": 2.0 + random.random(200), "ctrv": 3.0 + random.random(200), "kalman": 4.0 + random.random(200)}
    found = figures(physics["cv"] + 0.2, physics, track)
    assert (found["physics"], found["worse"], found["better"]) == ("cv", True, False)
    np.testing.assert_allclose([found["difference_m"], found["difference_low_m"], found["difference_high_m"]], 0.2)
    found = figures(physics["cv"] - 0.2, physics, track)
    assert (found["worse"], found["better"]) == (False, True)
    found = figures(physics["cv"] + np.where(track % 2, 1.0, -1.0), physics, track)
    assert (found["worse"], found["better"]) == (False, False)
    assert found["difference_low_m"] < 0 < found["difference_high_m"]
    assert found["best_ade_m"] == pytest.approx(found["top_ade_m"] / 2)


def test_a_part_of_few_tracks_is_not_judged_however_many_objects_it_has() -> None:
    track = np.arange(290) % 29
    one = np.ones(290)
    found = figures(2 * one, {"cv": one, "ctrv": one, "kalman": one}, track)
    assert (found["tracks"], found["objects"], found["judged"], found["worse"]) == (29, 290, False, False)
    more = np.arange(300) % 30
    one = np.ones(300)
    found = figures(2 * one, {"cv": one, "ctrv": one, "kalman": one}, more)
    assert (found["judged"], found["worse"]) == (True, True)


@pytest.mark.usefixtures("few_tracks")
def test_a_bad_predictor_is_worse_in_every_judged_cell_and_constant_velocity_where_it_is_not_the_best(
    crossing: Site,
) -> None:
    conditions = (Condition(), Condition(with_map=False))
    report = benchmark_sites([crossing], {}, ["runaway", "cv"], SiteOptions(conditions=conditions))
    bad, same = report["headline"]["runaway"], report["headline"]["cv"]
    assert bad["worse"] == bad["judged"] > 0
    assert bad["by_condition"]["recorded"] == bad["by_condition"]["no-map"]
    assert bad["by_site"] == {"crossing": {"worse": bad["worse"], "judged": bad["judged"]}}
    assert len(bad["cells"]) == bad["worse"]
    cells = report["sites"][0]["conditions"][0]["models"]["cv"]["divisions"][CELLS]
    for part in cells.values():
        assert part["difference_m"] >= 0
        assert part["top_ade_m"] == part["cv_ade_m"]
        if part["physics"] == "cv":
            assert (part["difference_low_m"], part["difference_high_m"], part["worse"]) == (0.0, 0.0, False)
    assert same["worse"] == 2 * sum(part["worse"] for part in cells.values())
    assert any(part["physics"] == "cv" for part in cells.values())
    targets = {t["name"]: t for t in report["sites"][0]["conditions"][0]["models"]["runaway"]["targets"]}
    assert targets["cells worse than physics"]["value"] == bad["by_condition"]["recorded"]["worse"]
    assert targets["moving vehicles, top path vs cv"]["value"] > 100.0
    assert report["sites"][0]["has_map"]
    shown = [condition["models"]["cv"]["targets"][1] for condition in report["sites"][0]["conditions"]]
    assert [row["name"] for row in shown] == ["moving vehicles, top path vs cv"] * 2
    assert [row["limit"] for row in shown] == ["<= -35", "<= -25"]  # more with a map


def test_the_bundled_scenes_are_a_site_in_which_constant_velocity_equals_itself() -> None:
    (sim,), _ = sites_at_hand([], names=["sim"])
    options = SiteOptions(conditions=(Condition(),), every_s=4.0)
    report = benchmark_sites([sim], {}, ["cv"], options)
    judged = report["sites"][0]["conditions"][0]["models"]["cv"]
    assert report["sites"][0]["horizon_s"] == 6.0
    assert judged["divisions"]["whole"]["all"]["objects"] == report["sites"][0]["objects"] > 100
    change = {t["name"]: t["value"] for t in judged["targets"]}
    assert change["moving vehicles, top path vs cv"] == 0.0
    assert report["sites"][0]["trained"]["cv"] == {"trained_on_it": "no", "sources": []}
    for division, parts in judged["divisions"].items():
        assert sum(part["objects"] for part in parts.values()) == report["sites"][0]["objects"], division


def test_noise_makes_constant_velocity_without_measured_velocity_worse_and_hiding_the_map_changes_nothing(
    crossing: Site,
) -> None:
    hidden = "no-velocity"
    names = [Condition(), Condition(with_map=False), Condition(velocities=hidden), Condition(False, hidden, 0.1)]
    report = benchmark_sites([crossing], {}, ["cv"], SiteOptions(conditions=tuple(names), every_s=2.0))
    wholes = [c["models"]["cv"]["divisions"]["whole"]["all"] for c in report["sites"][0]["conditions"]]
    assert wholes[0] == wholes[1]
    assert wholes[3]["top_ade_m"] > wholes[2]["top_ade_m"] + 1.0
    assert len({whole["objects"] for whole in wholes}) == 1


def test_results_do_not_depend_on_the_number_of_processes(crossing: Site) -> None:
    options = SiteOptions(conditions=(Condition(noise_m=0.05),), every_s=3.0)
    alone = benchmark_sites([crossing], {}, ["cv"], options)
    shared = benchmark_sites([crossing], {}, ["cv"], replace(options, jobs=2))
    assert alone == shared


def test_a_site_says_its_own_horizon_and_what_it_lacks(tmp_path: Path) -> None:
    scene = crossing_scene(5.0)
    bare = replace(scene, lanes=(), velocity_valid=np.zeros_like(scene.velocity_valid))
    write_scene(bare, tmp_path / "short.parquet")
    (site,), _ = sites_at_hand([], [("short", tmp_path)], ["short"])
    found = survey(site, 1.0, 6.0)
    assert found.horizon_s == 3.0  # 12 tracks: 36 objects in frames at 0, 1 and 2 s, but 24 with 4 s ahead of them
    assert not found.has_map
    assert not found.has_velocity
    assert found.has_heading
    report = benchmark_sites([site], {}, ["cv"], SiteOptions(conditions=CONDITIONS))
    left_out = {c["condition"]: c["left_out"] for c in report["sites"][0]["conditions"] if not c["models"]}
    assert left_out == {
        "no-map": "there is no map to hide",
        "no-velocity": "there is no measured velocity to hide or delay",
        "no-map+no-velocity": "there is no map to hide",
    }
    horizons = [row["horizon_s"] for row in report["sites"][0]["conditions"][0]["models"]["cv"]["calibration"]]
    assert horizons == [1.0, 2.0, 3.0]


def test_what_cannot_be_run_is_refused(crossing: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sites: expected at least one at hand, got none \(gone\)"):
        benchmark_sites([], {"x": "gone"}, ["cv"])
    with pytest.raises(InputError, match="model: expected at least one"):
        benchmark_sites([crossing], {}, [])
    write_scene(crossing_scene(0.3), tmp_path / "blink.parquet")
    (site,), _ = sites_at_hand([], [("blink", tmp_path)], ["blink"])
    with pytest.raises(InputError, match=r"got none \(site blink: expected objects whose next 0.5 s are recorded"):
        benchmark_sites([site], {}, ["cv"])
    options = SiteOptions(conditions=(Condition(),), every_s=4.0)
    report = benchmark_sites([site, crossing], {"x": "gone"}, ["cv"], options)
    assert [entry["site"] for entry in report["sites"]] == ["crossing"]
    assert list(report["absent"]) == ["x", "blink"]


@pytest.mark.parametrize("looked_at", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_cannot_be_read_costs_itself_alone(
    crossing: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    looked_at: bool, jobs: int,
) -> None:  # fmt: skip
    whole = crossing.files[0].read_bytes()
    for name in ("b", "c"):
        (tmp_path / f"{name}.parquet").write_bytes(whole)
    torn_file = tmp_path / "a.parquet"
    torn_file.write_bytes(whole[: len(whole) // 2])
    (torn,), _ = sites_at_hand([], [("torn", tmp_path)], ["torn"])
    if not looked_at:  # it is noticed when it is played
        monkeypatch.setattr(
            benchmark, "survey", lambda *_: Survey(3.0, has_map=False, has_velocity=False, has_heading=False)
        )
    done: list[tuple[int, int]] = []
    options = SiteOptions(conditions=(Condition(),), every_s=4.0, jobs=jobs)
    report = benchmark_sites([torn, crossing], {}, ["cv"], options, lambda _, now, total: done.append((now, total)))
    assert done == [(now, 5) for now in range(1, 6)]
    assert report["absent"] == {}
    found, other = report["sites"]
    assert list(found["files_left_out"]) == [str(torn_file)]
    assert found["files"] == 2
    assert "2 files (1 more cannot be played)" in site_line(found)
    assert other["files_left_out"] == {}
    (record,) = caplog.records
    assert record.getMessage() == f"site torn: a file is left out: {found['files_left_out'][str(torn_file)]}"
    assert record.getMessage().count(str(torn_file)) == 1
    good = replace(torn, files=torn.files[1:])
    if looked_at and jobs == 1:
        (alone,) = benchmark_sites([good], {}, ["cv"], options)["sites"]
        assert alone["conditions"] == found["conditions"]


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_site_of_which_no_file_can_be_read_is_absent(
    crossing: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    (tmp_path / "a.parquet").write_bytes(crossing.files[0].read_bytes()[:1000])
    (torn,), _ = sites_at_hand([], [("torn", tmp_path)], ["torn"])
    if not looked_at:
        monkeypatch.setattr(
            benchmark, "survey", lambda *_: Survey(3.0, has_map=False, has_velocity=False, has_heading=False)
        )
    options = SiteOptions(conditions=(Condition(),), every_s=4.0, files=1)
    report = benchmark_sites([torn, crossing], {}, ["cv"], options)
    assert [entry["site"] for entry in report["sites"]] == ["crossing"]
    assert report["absent"]["torn"].startswith("site torn: expected files that can be ")
    assert "a.parquet" in report["absent"]["torn"]


def test_a_shorter_horizon_can_be_asked_for(crossing: Site) -> None:
    options = SiteOptions(conditions=(Condition(),), every_s=4.0)
    long, short = (
        benchmark_sites([crossing], {}, ["cv"], replace(options, horizon_s=horizon_s))["sites"][0]
        for horizon_s in (6.0, 2.0)
    )
    assert (long["horizon_s"], short["horizon_s"]) == (6.0, 2.0)
    assert short["objects"] >= long["objects"]
    found = [one["conditions"][0]["models"]["cv"] for one in (long, short)]
    assert [row["horizon_s"] for row in found[1]["calibration"]] == [1.0, 2.0]
    whole = [one["divisions"]["whole"]["all"]["top_ade_m"] for one in found]
    assert 0.0 < whole[1] < 0.5 * whole[0]


@pytest.mark.parametrize("horizon_s", [0.0, 0.7, 8.0, float("nan")])
def test_horizons_that_sites_do_not_have(horizon_s: float) -> None:
    with pytest.raises(ConfigError, match=r"horizon: expected a time from 0.5 to 6 s in steps of 0.5, got"):
        SiteOptions(horizon_s=horizon_s)


def test_maps_that_cannot_be_drawn_are_counted(
    crossing: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    none, scene = np.zeros((0, 2)), crossing_scene()
    bare = tuple(replace(lane, left_m=none, right_m=none, centre_m=none) for lane in scene.lanes)
    write_scene(replace(scene, lanes=bare), tmp_path / "a.parquet")
    conditions = (Condition(), Condition(with_map=False))
    options = SiteOptions(conditions=conditions, every_s=4.0)
    for files, has_map in (([], False), ([crossing.files[0]], True)):
        site = Site("mixed", "some maps", (tmp_path / "a.parquet", *files))
        caplog.clear()
        (found,) = benchmark_sites([site], {}, ["misled", "cv"], options)["sites"]
        assert found["has_map"] is has_map
        assert list(found["maps_left_out"]) == [str(tmp_path / "a.parquet")]
        assert "map (that of 1 files cannot be drawn)" in site_line(found)
        assert found["conditions"][1]["left_out"] == ("" if has_map else "there is no map to hide")
        (record,) = caplog.records
        assert f"site mixed: 1 of {1 + len(files)} files are played without their map, first " in record.getMessage()
        assert "lanes: expected some that vehicles may use" in record.getMessage()


@pytest.mark.usefixtures("few_tracks")
def test_cells_that_a_map_makes_worse_are_named_and_counted(crossing: Site) -> None:
    conditions = (Condition(), Condition(with_map=False), Condition(noise_m=0.05))
    found = benchmark_sites([crossing], {}, ["misled", "cv"], SiteOptions(conditions=conditions, every_s=2.0))
    misled, same = found["headline"]["misled"], found["headline"]["cv"]
    assert len(misled["map_cells"]) == misled["map_judged"] == same["map_judged"] > 0
    assert same["map_cells"] == []
    recorded, no_map, noise = (c["models"] for c in found["sites"][0]["conditions"])
    assert no_map["misled"]["map_effect"] is None  # nothing is hidden there
    assert noise["misled"]["map_effect"] is None  # its pair did not run
    for cell, effect in recorded["misled"]["map_effect"].items():
        for models, key in ((recorded, "top_ade_m"), (no_map, "without_map_ade_m")):
            assert effect[key] == models["misled"]["divisions"][CELLS][cell]["top_ade_m"]
        assert effect["difference_m"] == pytest.approx(effect["top_ade_m"] - effect["without_map_ade_m"])
        assert effect["better"] is False
    assert {effect["difference_m"] for effect in recorded["cv"]["map_effect"].values()} == {0.0}
    cells = misled["map_judged"]
    assert f"misled: {cells} of {cells} cells worse with the map than without" in list(headline_lines(found))
    table = map_table(found)
    differences = [float(row[table.head.index("difference")]) for row in table.rows]
    assert len(differences) == cells
    assert differences == sorted(differences, reverse=True)
    assert table in list(summary_tables(found))
    alone = benchmark_sites([crossing], {}, ["misled"], SiteOptions(conditions=conditions[:1], every_s=4.0))
    assert alone["headline"]["misled"]["map_judged"] == 0
    assert table.title not in {each.title for each in summary_tables(alone)}
    assert len(list(headline_lines(alone))) == 1


@pytest.fixture(scope="module")
def report(crossing: Site) -> Callable[[], dict[str, Any]]:
    """The report of a fan of paths, made once for the tests of tables; see made_predictors."""
    made: dict[str, Any] = {}

    def once() -> dict[str, Any]:
        if not made:
            options = SiteOptions(conditions=(Condition(), Condition(noise_m=0.05)), every_s=2.0)
            made.update(benchmark_sites([crossing], {"mona_east": "no such folder"}, ["fan", "runaway"], options))
        return made

    return once


def test_the_report_is_json_and_has_what_the_page_of_documentation_lists(
    report: Callable[[], dict[str, Any]],
) -> None:
    found = json.loads(json.dumps(json_safe(report()), allow_nan=False))
    assert list(found) == [
        "report_version", "trajnet", "seed", "domain", "self_judging", "min_tracks", "models", "headline", "sites",
        "absent",
    ]  # fmt: skip
    judged = found["sites"][0]["conditions"][0]["models"]["fan"]
    assert list(judged) == [
        "worse", "cells_judged", "divisions", "map_effect", "events", "calibration", "steadiness", "targets", "rows",
    ]  # fmt: skip
    assert list(judged["divisions"]) == ["whole", CELLS, "class", "speed", "manoeuvre", "time seen"]
    assert set(judged["targets"][0]) == {"name", "value", "unit", "limit", "tracks", "met"}
    assert judged["steadiness"]["all"]["pairs"] > 100
    assert judged["rows"]["physics"] == 0
    whole = judged["divisions"]["whole"]["all"]
    assert whole["best_ade_m"] < whole["top_ade_m"]
    text = (Path(__file__).resolve().parents[4] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for key in (*whole, *judged, *found, "files_left_out", "maps_left_out"):
        assert f"`{key}`" in text, key


@pytest.mark.usefixtures("few_tracks")
def test_the_worst_cells_come_first(crossing: Site) -> None:
    found = benchmark_sites([crossing], {}, ["runaway", "fan"], SiteOptions(conditions=(Condition(),), every_s=2.0))
    table = worse_table(found)
    differences = [float(row[table.head.index("difference")]) for row in table.rows]
    assert differences == sorted(differences, reverse=True)
    assert table.rows[0][3] == "runaway"
    assert next(iter(summary_tables(found))) == table
    judged = found["headline"]["runaway"]["judged"]
    assert next(iter(headline_lines(found))).startswith(f"runaway: {judged} of {judged} cells worse")


@pytest.mark.parametrize(("terminal", "width"), [(False, 80), (True, 200), (True, 80), (True, 40)])
def test_no_digit_is_cut_at_any_width(report: Callable[[], dict[str, Any]], terminal: bool, width: int) -> None:
    tables = [*summary_tables(report()), *site_tables(report(), everything=True)]
    assert len(tables) > 20
    for table in tables:
        file = io.StringIO()
        Console(file=file, force_terminal=terminal, width=width, color_system=None).print(printed(table))
        shown = file.getvalue()
        assert "…" not in shown
        for row in table.rows:
            for name, cell in zip(table.head, row, strict=True):
                assert cell in shown, (table.title, name, cell)
        if not table.rows:
            assert "none" in shown


def test_the_page_holds_every_table_and_asks_for_nothing(report: Callable[[], dict[str, Any]]) -> None:
    found = page(report())
    for table in summary_tables(report()):
        assert html.escape(table.title) in found
        for row in table.rows:
            assert all(html.escape(cell) in found for cell in row)
    assert "no such folder" in found
    assert re.findall(r'(?:src|href)="(?!data:)', found) == []


def run(*words: str) -> Any:
    return CliRunner().invoke(cli.build(), ["benchmark", "sites", *words])


def test_the_command_writes_json_and_a_page_and_prints_the_headline_first(crossing: Site, tmp_path: Path) -> None:
    folder = crossing.files[0].parent
    words = ["--site", f"yard={folder}", "--sites", "yard,dut", "--data", str(tmp_path), "--model", "cv"]
    words += ["--conditions", "recorded", "--every", "4", "--files", "1"]
    done = run(*words, "--json", str(tmp_path / "a.json"), "--report", str(tmp_path / "a.html"))
    assert done.exit_code == 0, done.output
    assert re.match(r"cv: \d+ of \d+ cells worse than the best physics", done.stdout)
    assert "Not at hand" in done.stdout
    assert json.loads((tmp_path / "a.json").read_text())["sites"][0]["files"] == 1
    assert "yard" in (tmp_path / "a.html").read_text()
    piped = run(*words, "--json", "-")
    assert json.loads(piped.stdout) == json.loads((tmp_path / "a.json").read_text())
    assert "cells worse" in piped.stderr


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    for words, match in (
        (("--site", "yard"), "site: expected NAME=PATH, got 'yard'"),
        (("--sites", "moon"), "sites: expected some of"),
        (("--conditions", "rain"), "conditions: expected recorded"),
        (("--data", str(tmp_path / "none")), "data: expected a folder"),
        (("--jobs", "-1"), "jobs: expected a number"),
    ):
        assert match in str(run(*words).exception)


def test_paths_that_constant_velocity_stood_in_for_are_counted(crossing: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ConstantVelocity):
        name = "broken"

        def predict(self, observations: Observations) -> Prediction:
            one = super().predict(observations)
            return replace(one, probability=0.5 * one.probability)

    monkeypatch.setitem(MADE, "broken", Broken)
    options = SiteOptions(conditions=(Condition(),), every_s=4.0, files=1)
    report = benchmark_sites([crossing], {}, ["broken"], options)
    rows = report["sites"][0]["conditions"][0]["models"]["broken"]["rows"]
    assert rows["model"] == 0
    assert rows["physics"] > 500
    (line,) = fallback_lines(report)
    assert f"{rows['physics']:,} of {rows['physics']:,} rows of broken" in line


def test_the_shipped_model_judges_itself_unless_it_is_told_not_to(crossing: Site) -> None:
    options = SiteOptions(conditions=(Condition(),), every_s=4.0, files=1)
    both = [
        benchmark_sites([crossing], {}, [str(default_model())], replace(options, self_judging=judging))
        for judging in (True, False)
    ]
    ade_m = [
        next(iter(r["sites"][0]["conditions"][0]["models"].values()))["divisions"]["whole"]["all"]["top_ade_m"]
        for r in both
    ]
    assert ade_m[0] != ade_m[1]
    assert [r["self_judging"] for r in both] == [True, False]


def test_steadiness_is_measured_up_to_the_scored_horizon(crossing: Site) -> None:
    """A model's paths waver more the further they reach: what is beyond the horizon is not compared."""
    model = str(default_model())
    near, far = (
        play.play(play.Job(crossing, crossing.files[0], (model,), (Condition(),), horizon_s, 2.0, 0)).answers
        for horizon_s in (2.0, 6.0)
    )
    near_m, far_m = (found["recorded", model].steps.end_jump_m.mean() for found in (near, far))
    assert near_m < 0.7 * far_m


def test_parts_of_a_site_are_joined_in_order(crossing: Site) -> None:
    job = play.Job(crossing, crossing.files[0], ("cv", "ctrv", "kalman"), (Condition(),), 6.0, 2.0, 0)
    one, two = play.play(job), play.play(replace(job, path=crossing.files[1]))
    whole = play.joined([one, two])
    assert len(set(whole.objects.track.tolist())) == 2 * len(set(one.objects.track.tolist()))
    both = concat([part.answers["recorded", "cv"].scores for part in (one, two)])
    np.testing.assert_array_equal(whole.answers["recorded", "cv"].scores.top_ade_m, both.top_ade_m)
    shared = replace(crossing, shared_ids=True)
    merged = play.joined([play.play(replace(job, site=shared, path=path)) for path in crossing.files])
    assert len(set(merged.objects.track.tolist())) == len(set(one.objects.track.tolist()))
