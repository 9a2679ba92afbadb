"""The domain of a model file: what it states, how it is written and read, the bounds that follow."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.domains import DOMAIN
from tests.unit.inference.test_contract import CONTRACT, metadata
from trajnet import config
from trajnet.errors import ContractError
from trajnet.inference.contract import CONTRACT_KEY, read_contract
from trajnet.inference.domain import ClassDomain, domain_lines, outside_words


def test_a_contract_with_a_domain_survives_the_trip() -> None:
    stated = replace(CONTRACT, domain=DOMAIN)
    assert read_contract({CONTRACT_KEY: stated.to_json()}, "m.onnx") == stated


def test_a_file_from_before_domains_is_read_as_not_stated() -> None:
    values = json.loads(CONTRACT.to_json())
    del values["domain"]
    assert read_contract({CONTRACT_KEY: json.dumps(values)}, "m.onnx") == CONTRACT
    assert CONTRACT.domain is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": {"tram": {"windows": 3}}}, "got tram"),
        ({"classes": {"car": {"windows": -3}}}, "windows"),
        ({"classes": {"car": {"windows": 3, "speed_mps": [5.0, 1.0]}}}, "speed_mps"),
        ({"driving_sides": {"middle": 3}}, "got middle"),
        ({"rates_hz": [[0.0, 3]]}, "rates above 0 Hz"),
        ({"pace": 0.5}, "pace from 1"),
        ({"drop": 1.0}, "drop in"),
        ({"map_share": 1.5}, "map_share"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_domain_that_makes_no_sense_is_refused_by_name(changes: dict[str, Any], told: str) -> None:
    values = {**config.to_dict(DOMAIN), **changes}
    with pytest.raises(ContractError, match=told) as error:
        read_contract(metadata(domain=values), "m.onnx")
    assert "m.onnx" in str(error.value)


def test_a_class_with_too_few_windows_counts_as_never_trained_on() -> None:
    assert DOMAIN.trained_classes == ("car", "pedestrian")
    assert DOMAIN.untrained_classes == ("unknown", "truck", "bus", "motorcycle", "bicycle")


def test_a_small_training_set_is_no_reason_to_serve_nothing() -> None:
    few = replace(DOMAIN, classes={"car": ClassDomain(33), "bus": ClassDomain(3)}, rates_hz=((2.0, 3), (10.0, 33)))
    assert (few.min_windows, few.trained_classes) == (4, ("car",))
    assert few.trained_rates_hz == (10.0, 10.0)


def test_bounds_are_those_of_training_with_its_augmentation_and_a_margin() -> None:
    assert DOMAIN.served_speed_mps("car") == pytest.approx(20.0 * 1.25 + 1.0)
    assert DOMAIN.served_rates_hz == pytest.approx((5.0, 20.0))  # 2 Hz has too few windows
    wider = replace(DOMAIN, pace=1.2, drop=0.25)
    assert wider.trained_speed_mps("car") == pytest.approx(24.0)
    assert wider.served_rates_hz == pytest.approx((10.0 * 0.75 / 1.2 / 2.0, 24.0))


def test_a_model_of_many_rates_is_served_far_above_them() -> None:
    many = replace(DOMAIN, rates_hz=((2.5, 500), (10.0, 1000)))
    assert many.served_rates_hz == pytest.approx((1.25, 60.0))
    assert replace(many, rates_hz=((2.6, 500), (10.0, 1000))).served_rates_hz[1] == 20.0
    assert replace(many, rates_hz=((2.0, 500), (50.0, 1000)), pace=1.2).served_rates_hz[1] == pytest.approx(120.0)


def test_what_is_not_known_bounds_nothing() -> None:
    unknown = replace(DOMAIN, classes={"car": ClassDomain(500)}, rates_hz=())
    assert unknown.served_speed_mps("car") == math.inf
    assert unknown.served_rates_hz == (0.0, math.inf)
    assert "speeds unknown" in "\n".join(domain_lines(unknown))
    assert "every rate is served" in "\n".join(domain_lines(unknown))


def test_a_rate_at_which_tracks_are_forgotten_is_not_said_to_be_served() -> None:
    slow = replace(DOMAIN, rates_hz=((0.4, 500), (10.0, 1000)))
    said = "served from 1 to 60 Hz (from 0.2 Hz with a TrackPolicy.timeout_s above 1 s)"
    assert domain_lines(slow)[-3].endswith(said)


def test_it_reads_as_sentences() -> None:
    assert domain_lines(DOMAIN) == [
        "car: 1,000 windows, 0.0 to 20.0 m/s, served up to 26.0 m/s",
        "pedestrian: 100 windows, 0.0 to 2.0 m/s, served up to 3.5 m/s",
        "never trained on: unknown, truck, bus, motorcycle, bicycle (fewer than 100 windows); physics answers for them",
        "rates: 2 Hz (20), 10 Hz (1,179); served from 5 to 20 Hz",
        "driving side, in windows: left 199, unknown 1,000",
        "windows with a map 50%, with neighbours 25%, with a measured velocity 100%; noise on positions up to 0 m",
    ]
    assert domain_lines(None)[0].startswith("not stated")


def test_rows_outside_are_told_by_reason() -> None:
    counted = {"outside_class_rows": 1_000, "outside_rate_rows": 0, "outside_speed_rows": 2}
    assert outside_words("m", {"outside_domain_rows": 1_002, **counted}) == (
        "m was not asked about 1,002 rows outside of what it was trained on (1,000 of a class, 2 at a speed); "
        "physics answered"
    )
    assert not outside_words("m", {"outside_domain_rows": 0, **counted})
