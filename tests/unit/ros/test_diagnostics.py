"""Health judged over sequences computed by hand."""

from __future__ import annotations

import pytest

from trajnet.errors import ConfigError
from trajnet.ros.diagnostics import STATUSES, Cycle, Diagnostics, Identity, Output, Thresholds
from trajnet.ros.levels import Judged, Level, Limit, Status

S = 1_000_000_000
MODEL = Identity("lstm 1234", "cpu", "cpu", uses_model=True)


def diagnostics(identity: Identity = MODEL, thresholds: Thresholds | None = None) -> Diagnostics:
    made = Diagnostics(identity, thresholds or Thresholds(), deadline_ms=50.0, expected_frame="map")
    made.start(0)
    return made


def by_name(statuses: tuple[Status, ...]) -> dict[str, Status]:
    assert tuple(s.name for s in statuses) == STATUSES
    return {s.name: s for s in statuses}


def value(status: Status, key: str) -> str:
    return dict(status.values)[key]


def test_a_steady_stream_is_fine_with_exact_percentiles() -> None:
    health = diagnostics()
    for i in range(101):  # 0, 1, ... 100 times 0.1 ms: the percentiles of this ramp are the ramp itself
        health.add(Cycle(i * S // 20, "used", processing_ms=i * 0.1, model_rows=3), frame="map")
    got = by_name(health.report(5 * S))
    assert [s.level for s in got.values()] == [Level.OK] * len(STATUSES)
    assert value(got["timing"], "processing_ms_p50") == "5.000"
    assert value(got["timing"], "processing_ms_p95") == "9.500"
    assert value(got["timing"], "processing_ms_p99") == "9.900"
    assert value(got["timing"], "processing_ms_max") == "10.000"
    assert value(got["timing"], "processing_count") == "101"
    assert value(got["input"], "rate_hz") == "20.0"
    assert value(got["model"], "model_rows_total") == "303"
    assert (value(got["model"], "model"), value(got["model"], "provider")) == ("lstm 1234", "cpu")


def test_old_cycles_leave_the_window_but_not_the_totals() -> None:
    health = diagnostics()
    health.add(Cycle(0, "used", processing_ms=400.0, model_rows=1))
    health.add(Cycle(11 * S, "used", processing_ms=1.0, model_rows=1))
    timing = by_name(health.report(11 * S))["timing"]
    assert (value(timing, "processing_ms_max"), value(timing, "processing_count")) == ("1.000", "1")
    assert health.totals.messages == 2


@pytest.mark.parametrize(("silent_s", "level"), [(0.4, Level.OK), (0.6, Level.WARN), (1.1, Level.ERROR)])
def test_silence_warns_and_then_is_an_error(silent_s: float, level: Level) -> None:
    never, stopped = diagnostics(), diagnostics()
    stopped.add(Cycle(5 * S, "used"))
    assert by_name(never.report(int(silent_s * S)))["input"].level == level
    assert by_name(stopped.report(5 * S + int(silent_s * S)))["input"].level == level


def test_silence_is_no_fault_while_the_node_does_not_listen() -> None:
    health = diagnostics()
    health.stop()
    assert by_name(health.report(60 * S))["input"].level == Level.OK


@pytest.mark.parametrize(
    ("kind", "count", "level"),
    [
        ("bad", 0, Level.OK), ("bad", 1, Level.WARN), ("bad", 50, Level.WARN), ("bad", 51, Level.ERROR),
        ("late", 5, Level.OK), ("late", 6, Level.WARN), ("late", 51, Level.ERROR),
        ("dropped", 1, Level.OK), ("dropped", 2, Level.WARN), ("dropped", 21, Level.ERROR),
    ],
)  # fmt: skip
def test_shares_of_a_hundred_messages(kind: str, count: int, level: Level) -> None:
    health = diagnostics()
    for i in range(100):
        health.add(Cycle(i * S // 20, kind if i < count else "used"), bad="too short" if kind == "bad" else "")  # type: ignore[arg-type]
    assert by_name(health.report(5 * S))["input"].level == level
    assert getattr(health.totals, kind) == count


def test_one_deadline_miss_warns_and_a_second_of_them_is_an_error() -> None:
    health = diagnostics()
    health.add(Cycle(0, "used", deadline_missed=True))
    assert by_name(health.report(0))["timing"].level == Level.WARN
    for tenth in range(1, 11):
        health.add(Cycle(tenth * S // 10, "used", deadline_missed=True))
        expected = Level.ERROR if tenth == 10 else Level.WARN
        assert by_name(health.report(tenth * S // 10))["timing"].level == expected
    assert health.totals.deadline_misses == 11


def test_a_frame_in_time_breaks_the_run_of_misses() -> None:
    health = diagnostics()
    for tenth in range(21):
        health.add(Cycle(tenth * S // 10, "used", deadline_missed=tenth % 9 != 8))  # never a whole second in a row
    assert by_name(health.report(2 * S))["timing"].level == Level.WARN


def test_a_level_falls_only_after_the_recovery_time() -> None:
    health = diagnostics(thresholds=Thresholds(window_s=1.0, recover_s=3.0))
    health.add(Cycle(0, "bad"), bad="garbage")
    levels = []
    for second in range(8):  # the bad message leaves the window after 1 s; the level may fall 3 s later
        health.add(Cycle(second * S + S // 2, "used"))
        levels.append(by_name(health.report(second * S + S // 2))["input"].level)
    assert levels == [Level.WARN] * 4 + [Level.OK] * 4


def test_swinging_around_a_threshold_does_not_flicker() -> None:
    health = diagnostics(thresholds=Thresholds(window_s=0.5, recover_s=3.0))
    levels = []
    for second in range(1, 12):
        late = second % 2 == 1 and second < 8
        health.add(Cycle(second * S, "late" if late else "used"))
        levels.append(by_name(health.report(second * S))["input"].level)
    assert levels[:10] == [Level.ERROR] * 10  # seconds 1, 3, 5, 7 are late; better since 8, held for 3 s
    assert levels[10] == Level.OK


def test_an_error_falls_to_a_warning_that_is_still_true() -> None:
    health = diagnostics(thresholds=Thresholds(window_s=10.0, recover_s=1.0))
    for i in range(4):
        health.add(Cycle(i * S, "late"))
    assert by_name(health.report(3 * S))["input"].level == Level.ERROR
    for i in range(4, 12):
        health.add(Cycle(i * S, "used"))
    health.report(11 * S)  # 3 of 11 late: a warning, not yet held for 1 s
    health.add(Cycle(12 * S, "used"))
    got = by_name(health.report(12 * S))["input"]
    assert (got.level, got.message) == (Level.WARN, "18% of the frames are late")


def test_fall_backs_count_only_where_a_model_was_asked_for() -> None:
    cycle = Cycle(0, "used", model_rows=90, physics_rows=9, stale_rows=1)
    serving, physics = diagnostics(), diagnostics(identity=Identity("cv", "cpu", "none", uses_model=False))
    for health in (serving, physics):
        health.add(cycle)
    got = by_name(serving.report(0))["model"]
    assert (got.level, got.message) == (Level.WARN, "10% of the objects fell back to physics or a stale path")
    assert value(got, "fallback_share") == "0.1000"
    assert by_name(physics.report(0))["model"].level == Level.OK


def test_failures_limits_frames_and_providers_are_named() -> None:
    health = diagnostics(identity=Identity("lstm", "cuda", "cpu", uses_model=True))
    health.add(Cycle(0, "used", model_rows=10), frame="base_link")
    got = by_name(health.report(0))
    assert got["model"].message == "asked for provider 'cuda', running on 'cpu'"
    assert got["input"].message == "objects are in frame 'base_link', expected 'map'"
    health.add(Cycle(0, "used", physics_rows=10, failed=True), failure="RuntimeError: boom")
    health.add(Cycle(0, "used", physics_rows=10, failed=True), failure="RuntimeError: boom")
    got = by_name(health.report(0))
    assert got["model"].level == Level.ERROR
    assert value(got["model"], "last_failure") == "RuntimeError: boom"


def test_objects_over_the_limit_warn() -> None:
    health = diagnostics()
    health.add(Cycle(0, "used", model_rows=97, physics_rows=3, over_limit_rows=3))
    assert by_name(health.report(0))["model"].message == "3% of the objects are over max_objects and get physics"


def test_objects_outside_of_the_domain_warn_above_a_share_and_are_no_fall_back() -> None:
    health = diagnostics()
    health.add(Cycle(0, "used", model_rows=80, physics_rows=20, outside_class_rows=15, outside_speed_rows=5))
    got = by_name(health.report(0))
    assert [s.level for s in got.values()] == [Level.OK] * len(STATUSES)  # a fifth is the limit
    assert value(got["domain"], "outside_domain_share") == "0.2000"
    assert value(got["model"], "fallback_share") == "0.0000"
    health.add(Cycle(0, "used", physics_rows=100, outside_rate_rows=100))
    got = by_name(health.report(0))
    assert (got["model"].level, got["domain"].level) == (Level.OK, Level.WARN)
    assert got["domain"].message == (
        "60% of the objects are outside of what the model was trained on (8% by their class, 50% by their rate, "
        "2% by their speed) and get physics"
    )
    totals = [value(got["domain"], f"outside_{reason}_rows_total") for reason in ("class", "rate", "speed")]
    assert totals == ["15", "100", "5"]


def test_nothing_received_yet_reports_without_numbers_to_divide_by() -> None:
    assert [s.level for s in diagnostics().report(0)] == [Level.OK] * len(STATUSES)


def test_thresholds_are_checked() -> None:
    with pytest.raises(ConfigError, match="warn <= error"):
        Limit(2.0, 1.0)
    with pytest.raises(ConfigError, match="window_s"):
        Thresholds(window_s=0.0)


def test_the_map_and_what_is_off_it_have_a_status_of_their_own() -> None:
    health = diagnostics()
    health.map_use = "/maps/town.osm"
    health.add(Cycle(S, "used", model_rows=4, located_rows=4, off_map_rows=1))
    got = by_name(health.report(S))["map"]
    assert (got.level, value(got, "map"), value(got, "on_map_share")) == (Level.OK, "/maps/town.osm", "0.7500")
    health.add(Cycle(2 * S, "used", model_rows=4, located_rows=4, off_map_rows=4))
    later = by_name(health.report(2 * S))
    assert (later["map"].level, later["input"].level) == (Level.WARN, Level.OK)
    assert "62% of the objects are off the map" in later["map"].message


def test_lanes_that_nobody_drives_along_are_a_warning() -> None:
    health = diagnostics()
    assert "lane_trust" not in dict(by_name(health.report(0))["map"].values)
    for trust, level in ((1.0, Level.OK), (0.29, Level.WARN)):
        health.lane_trust = trust
        got = by_name(health.report(0))["map"]
        assert (got.level, value(got, "lane_trust")) == (level, f"{trust:.2f}")
    assert "vehicles do not go where its lanes lead" in got.message


def test_another_publisher_on_the_output_is_a_warning_that_names_it() -> None:
    health = diagnostics()
    health.output = Output("/objects", (), 3)
    got = by_name(health.report(0))["output"]
    assert (got.level, value(got, "subscribers"), value(got, "other_publishers")) == (Level.OK, "3", "0")
    health.output = Output("/objects", ("/perception/map_based_prediction",), 3)
    got = by_name(health.report(0))["output"]
    assert (got.level, value(got, "other_publishers")) == (Level.WARN, "1")
    assert "/perception/map_based_prediction publish(es) on /objects, too" in got.message


def test_what_others_judge_follows_with_the_same_hysteresis() -> None:
    health, judged = diagnostics(), Judged()
    judged.raise_to(Level.WARN, "they disagree")
    assert health.report(0, {"disagreement": judged})[-1] == Status("disagreement", Level.WARN, "they disagree", ())
    later = health.report(S, {"disagreement": Judged()})[-1]
    assert (later.level, later.message) == (Level.WARN, "recovering: they disagree")
    assert health.report(4 * S, {"disagreement": Judged()})[-1].level == Level.OK
