"""What `import trajnet` offers, in one place. docs/python.md says what stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from trajnet.check import check_scene
from trajnet.config import require
from trajnet.datasets.files import with_map_of
from trajnet.errors import InputError, TrajnetError
from trajnet.inference import PHYSICS, Predictor, Stream, load_predictor
from trajnet.paths import frames_at, predict_scene
from trajnet.picture import Picture, scene_picture
from trajnet.ros.bag_import import open_scene
from trajnet.scenes import write_scene
from trajnet.types import FloatArray, ObjectClass, Prediction, Scene, TrackFrame

__all__ = [
    "ObjectClass",
    "Prediction",
    "Scene",
    "Stream",
    "TrackFrame",
    "TrajnetError",
    "check_scene",
    "load_model",
    "load_scene",
    "plot",
    "predict",
    "predict_frames",
    "write_scene",
]


def load_scene(path: Path | str, *, map_path: Path | str | None = None) -> Scene:
    """Return the scene of a file of any format that trajnet reads, or of a bag, with its map where there is one.

    map_path: a map in another file, in place of the scene's own. Raises InputError for what cannot be read.
    """
    return with_map_of(open_scene(Path(path), with_map=True), map_path)


def load_model(
    name: Path | str | None = None, *, provider: str = "cpu", threads: int = 1, time_s: ArrayLike | None = None
) -> Predictor:
    """Return a model: a bundled one by name (urban, ...), cv, ctrv, kalman, or a file (.onnx). None: the default one.

    provider: cpu, cuda or tensorrt. time_s (T,): the future times of cv, ctrv and kalman, such as those of a model that
    they are to stand in for (its time_s); files bring their own. Raises ContractError for any other name, ConfigError
    for other options, DependencyError for what is not installed.
    """
    if name is not None and not isinstance(name, (str, Path)):
        raise InputError(f"load_model: expected a name or a path, got {name!r}")
    times_s = None if time_s is None else _times(time_s, name)
    return load_predictor(name, time_s=times_s, provider=provider, threads=threads)


def predict(
    scene: Scene, model: Predictor | Path | str | None = None, *, at_s: float | None = None, frame: int | None = None
) -> Prediction:
    """Return the paths of one frame's objects, modes by decreasing probability; what came before it is fed in first.

    model: as load_model takes it, or a loaded one, whose earlier tracks are forgotten. at_s: the last frame at or
    before this time since the first; frame: its index, from the end where negative; by default the last frame. Raises
    InputError for a time or an index outside the scene, and where no object is or was there.
    """
    _require_scene("predict", scene)
    index = _index(scene, at_s, frame)
    found = next((p for i, p in predict_scene(scene, _loaded(model), {index}) if i == index), None)
    if found is None:
        raise InputError(f"predict: expected objects in or before frame {index} of {scene.scene_id!r}, got none")
    return found


def predict_frames(scene: Scene, model: Predictor | Path | str | None = None) -> Iterator[Prediction]:
    """Yield the paths of each frame in turn, as predict does; frames before the first object are left out.

    A loaded model serves one scene at a time: for scenes side by side, load one for each. Raises InputError otherwise.
    """
    _require_scene("predict_frames", scene)
    return (prediction for _, prediction in predict_scene(scene, _loaded(model)))


def plot(scene: Scene, prediction: Prediction | None = None, frame: int | None = None) -> Picture:
    """Return a picture that notebooks show and that saves itself as SVG: map, boxes, histories and all paths.

    frame: its index, from the end where negative; by default the prediction's, else the middle of the scene. Raises
    InputError for an index outside the scene.
    """
    _require_scene("plot", scene)
    if prediction is not None and not isinstance(prediction, Prediction):
        raise InputError(f"plot: expected a Prediction, such as trajnet.predict(scene), got {prediction!r}")
    frame = None if frame is None else _index(scene, None, frame)
    return Picture(scene_picture(scene, prediction, frame))


def _loaded(model: Predictor | Path | str | None) -> Predictor:
    return load_model(model) if model is None or isinstance(model, (str, Path)) else model


def _times(time_s: ArrayLike, name: Path | str | None) -> FloatArray:
    """Return the times of a physics predictor. Raises ConfigError for what is none, and for any other predictor."""
    model = "the default model" if name is None else name
    require(str(name) in PHYSICS, f"time_s: expected none for {model}, which has times of its own")
    try:
        times_s = np.asarray(time_s, dtype=np.float64)
    except (TypeError, ValueError):
        times_s = np.zeros(0)
    rising = times_s.ndim == 1 and len(times_s) > 0 and bool((np.diff(times_s, prepend=0.0) > 0).all())
    require(rising and bool(np.isfinite(times_s).all()), f"time_s: expected rising times above 0 in s, got {time_s!r}")
    return times_s


def _require_scene(what: str, scene: object) -> None:
    if not isinstance(scene, Scene):
        hint = f"; load it: trajnet.load_scene({str(scene)!r})" if isinstance(scene, (str, Path)) else ""
        raise InputError(f"{what}: expected a Scene, got {_short(scene)}{hint}")


def _short(value: object) -> str:
    return repr(value) if isinstance(value, (str, Path, int, float)) else type(value).__name__


def _index(scene: Scene, at_s: float | None, frame: int | None) -> int:
    if at_s is not None and frame is not None:
        raise InputError("predict: expected at_s or frame, got both")
    if at_s is not None:
        if isinstance(at_s, bool) or not isinstance(at_s, Real):
            raise InputError(f"at_s: expected seconds since the first frame, got {at_s!r}")
        return max(frames_at(scene, [float(at_s)]))
    index = -1 if frame is None else frame
    if isinstance(index, bool) or not isinstance(index, Integral):
        raise InputError(f"frame: expected a whole number, got {index!r}; a time goes by at_s")
    if not -scene.frame_count <= index < scene.frame_count:
        raise InputError(f"frame: expected an index of {scene.frame_count} frames, got {index}")
    return int(index) % scene.frame_count
