"""import trajnet: what is there, and what it does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import trajnet
from trajnet import api
from trajnet.errors import InputError
from trajnet.inference import GuardOptions
from trajnet.models import default_model, model_named, model_names

ROOT = Path(__file__).resolve().parents[2]
#: The package, for calls whose arguments have a wrong type.
given: Any = trajnet
SCENE = ROOT / "sim" / "scenes" / "crossing_small.parquet"


@pytest.fixture(scope="module")
def scene() -> trajnet.Scene:
    return trajnet.load_scene(SCENE)


def test_the_package_offers_what_api_has() -> None:
    assert trajnet.__all__ == api.__all__
    for name in trajnet.__all__:
        assert getattr(trajnet, name) is getattr(api, name)
    assert set(dir(trajnet)) == {*api.__all__, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'forecast'"):
        _ = trajnet.forecast


def test_the_documented_names_are_those(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in trajnet.__all__:
        assert f"`{name}" in page, name


def test_predict_answers_for_one_frame(scene: trajnet.Scene) -> None:
    model = trajnet.load_model("cv")
    last = trajnet.predict(scene, model)
    assert last.timestamp_ns == scene.timestamp_ns[-1]
    third = trajnet.predict(scene, model, frame=2)
    assert third.timestamp_ns == scene.timestamp_ns[2]
    assert trajnet.predict(scene, model, frame=-1).timestamp_ns == scene.timestamp_ns[-1]
    at = trajnet.predict(scene, "cv", at_s=float(scene.timestamp_ns[2] - scene.timestamp_ns[0]) * 1e-9)
    np.testing.assert_array_equal(at.position_m, third.position_m)


def test_predict_frames_answers_for_every_frame_and_forgets_earlier_scenes(scene: trajnet.Scene) -> None:
    model = trajnet.load_model()
    first = list(trajnet.predict_frames(scene, model))
    again = list(trajnet.predict_frames(scene, model))
    assert [p.timestamp_ns for p in first] == scene.timestamp_ns.tolist()
    np.testing.assert_array_equal(first[-1].position_m, again[-1].position_m)
    assert (np.diff(first[-1].probability, axis=1) <= 0).all()


def test_scenes_side_by_side_need_a_model_each(scene: trajnet.Scene) -> None:
    model = trajnet.load_model("kalman")
    with pytest.raises(InputError, match=r"kalman: .* load one predictor for each stream"):
        list(zip(trajnet.predict_frames(scene, model), trajnet.predict_frames(scene, model), strict=True))
    both = zip(trajnet.predict_frames(scene, "kalman"), trajnet.predict_frames(scene, "kalman"), strict=True)
    assert len(list(both)) == scene.frame_count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": 10**6}, "frame: expected an index of"),
        ({"at_s": 1e6}, "at: expected"),
        ({"at_s": 0.0, "frame": 1}, "expected at_s or frame, got both"),
    ],
)
def test_a_frame_outside_the_scene_is_refused(scene: trajnet.Scene, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trajnet.predict(scene, "cv", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: given.Stream("urban"),
            r"Stream: expected a predictor, got 'urban'.*load_model\('urban'\)",
        ),
        (lambda s: given.Stream(None), r"Stream: expected a predictor, got None; trajnet.load_model\(\) loads one"),
        (
            lambda s: given.Stream(given.load_model("cv")).update(s, 0),
            "expected a TrackFrame, got Scene; see",
        ),
        (lambda s: given.predict("a.parquet"), r"expected a Scene, got 'a.parquet'; .* trajnet.load_scene\('a.parq"),
        (
            lambda s: given.predict_frames(Path("a")),
            r"predict_frames: expected a Scene, .*load_scene\('a'\)",
        ),
        (lambda s: given.predict(None), "predict: expected a Scene, got NoneType"),
        (lambda s: given.plot("a.parquet"), "plot: expected a Scene, got 'a.parquet'"),
        (lambda s: given.plot(s, "a.parquet"), "plot: expected a Prediction, .* got 'a.parquet'"),
        (lambda s: given.plot(s, frame=10**6), "frame: expected an index of 90 frames"),
        (lambda s: given.predict(s, "cv", at_s="1"), "at_s: expected seconds since the first frame, got '1'"),
        (lambda s: given.predict(s, "cv", at_s=float("nan")), "at: expected seconds from 0"),
        (lambda s: given.predict(s, "cv", frame=1.5), "frame: expected a whole number, got 1.5; a time goes by at_s"),
        (lambda s: given.predict(s, 5), "Stream: expected a predictor, got 5"),
        (lambda s: given.load_model(5), "load_model: expected a name or a path, got 5"),
        (lambda s: given.load_model(threads=1.5), "threads: expected a whole number from 1 on, got 1.5"),
        (lambda s: given.load_model(time_s=[1.0]), "time_s: expected none for the default model, which has times of"),
        (lambda s: given.load_model("cv", time_s=[2.0, 1.0]), "time_s: expected rising times above 0 in s"),
        (lambda s: given.load_model("cv", time_s="soon"), "time_s: expected rising times above 0 in s, got 'soon'"),
    ],
)
def test_what_is_given_in_place_of_another_is_named(
    scene: trajnet.Scene, call: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(trajnet.TrajnetError, match=message):
        call(scene)


def test_numbers_of_numpy_are_numbers(scene: trajnet.Scene) -> None:
    third = trajnet.predict(scene, "cv", frame=2)
    for options in ({"frame": np.int64(2)}, {"at_s": np.float32(0.2)}):
        found = given.predict(scene, "cv", **options)
        np.testing.assert_array_equal(found.position_m, third.position_m)


def test_physics_at_a_models_times_stands_in_for_it(scene: trajnet.Scene) -> None:
    model = trajnet.load_model()
    with pytest.raises(InputError, match=r"fallback: expected the predictor's times .*load_model\('cv', time_s=model"):
        trajnet.Stream(model, guard=GuardOptions(fallback=trajnet.load_model("cv")))
    options = GuardOptions(fallback=trajnet.load_model("ctrv", time_s=model.time_s))
    frame = scene.frame(0)
    assert len(trajnet.Stream(model, guard=options).update(frame, frame.timestamp_ns)) == len(frame)


def test_models_go_by_name() -> None:
    assert model_names()[0] == "urban"
    assert model_named("urban") == model_named("trajnet-urban") == default_model()
    assert model_named("cv") is None
    assert trajnet.load_model().name == trajnet.load_model("urban").name == "trajnet-urban"


def test_representations_are_short_and_have_pictures(scene: trajnet.Scene) -> None:
    prediction = trajnet.predict(scene, "cv")
    picture = trajnet.plot(scene, prediction)
    for value in (scene, prediction, scene.frame(0), picture):
        assert len(repr(value)) < 160
    assert repr(scene).startswith("Scene('crossing_small': 90 frames in 8.9 s")
    for svg in (scene._repr_html_(), prediction._repr_html_(), picture._repr_html_()):
        ElementTree.fromstring(svg)


def test_a_picture_has_every_object_and_path(scene: trajnet.Scene, tmp_path: Path) -> None:
    prediction = trajnet.predict(scene, frame=30)
    trajnet.plot(scene, prediction).save(tmp_path / "frame.svg")
    with pytest.raises(InputError, match=r"picture: expected a file that ends in .svg, got .*frame.png"):
        trajnet.plot(scene).save(tmp_path / "frame.png")
    assert not (tmp_path / "frame.png").exists()
    root = ElementTree.parse(tmp_path / "frame.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    titles = {e.text for e in root.iter(f"{space}title")}
    assert {title.split(", ")[0] for title in titles if title} == set(scene.frame(30).track_id)
    paths = [e for e in root.iter(f"{space}polyline") if e.get("stroke") == "#e69f00"]
    assert len(paths) == len(prediction) * prediction.modes
    assert len(list(root.iter(f"{space}ellipse"))) == len(prediction)


def test_a_raster_map_is_in_the_picture() -> None:
    from dataclasses import replace

    from trajnet.types import RasterMap

    base = trajnet.Scene.from_dataframe({"time_s": [0.0], "id": ["<a>"], "x": [1.0], "y": [2.0]})
    with_map = replace(base, raster=RasterMap(np.zeros(2), 2.0, np.ones((8, 6), np.bool_)))
    svg = ElementTree.fromstring(with_map._repr_html_())
    image = next(svg.iter("{http://www.w3.org/2000/svg}image"))
    assert (image.get("width"), image.get("height")) == ("4.00", "3.00")
    assert image.get("href", "").startswith("data:image/png;base64,")


def test_the_vehicle_can_use_it_without_any_extra() -> None:
    code = (
        "import sys\n"
        "for name in ('rosbags', 'mcap', 'pyarrow', 'pandas', 'typer', 'rich', 'torch', 'pyproj'):\n"
        "    sys.modules[name] = None\n"
        "import trajnet\n"
        "rows = {'time_s': [0.0, 0.1], 'id': [1, 1], 'x': [0.0, 1.0], 'y': [0.0, 0.0]}\n"
        "print(len(trajnet.predict(trajnet.Scene.from_dataframe(rows))))\n"
        "trajnet.load_scene('sim/scenes/intersection.parquet')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr
    assert "run: pip install 'trajnet-av[tools]'" in done.stderr
