"""The second look: what it reads, and that a new one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.unit.training.test_model import ALL, REFINED, VIEW, histories, make_model, surroundings
from tests.unit.training.test_train import checkpoint
from trajnet.errors import ConfigError
from trajnet.training.checkpoint import start_from
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model_config import LOOK_KNOTS, ModelConfig
from trajnet.training.motion import HEADS
from trajnet.training.refinement import NEAR_PATCHES, PatchReader

SOURCE = SourceConfig("scenes", path="made")


def test_at_first_the_reader_weighs_patches_as_a_gaussian_around_the_place() -> None:
    reader = PatchReader(VIEW)
    rows, columns, _ = VIEW.shape
    draw = torch.Generator().manual_seed(0)
    place_m = 10.0 * torch.randn(5, 6, 2, generator=draw)
    patches = torch.randn(5, rows * columns, 7, generator=draw)
    centre_m = torch.from_numpy(VIEW.points_m().mean(axis=2)).float().reshape(-1, 2)  # (A * B, 2)
    away_m = torch.linalg.vector_norm(place_m.unsqueeze(2) - centre_m, dim=-1)  # (5, 6, A * B)
    weight = torch.softmax(-0.5 * (away_m / (NEAR_PATCHES * VIEW.patch * VIEW.step_m)) ** 2, -1)
    assert torch.allclose(reader(place_m, patches), weight @ patches, atol=1e-4)


def test_places_are_where_a_path_leads_in_the_axes_of_the_object() -> None:
    model = make_model(**REFINED)
    assert model.refinement is not None
    knots, modes = model.config.knots, model.config.modes
    motion = torch.zeros(HEADS * modes, knots, 2)
    offset = torch.zeros(2 * modes + 1, 1, 2)
    start = torch.tensor([[8.0, 8.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    limits = [torch.full((1, 2), value) for value in (1.0, 0.3, 0.125, 0.0, 2.0)]
    motion[modes] = 0.1  # the first mode turns left, a tenth of a radian from knot to knot
    x_m, y_m = model.refinement.places(motion, offset, start, limits)
    ahead_m = 8.0 * model.config.knot_step_s * LOOK_KNOTS * torch.arange(1.0, knots // LOOK_KNOTS + 1)
    assert torch.allclose(x_m[1:], ahead_m.reshape(1, -1, 1).expand_as(x_m[1:]), atol=1e-4)
    assert y_m[1:].abs().max() < 1e-4
    seconds = model.config.knot_step_s * LOOK_KNOTS * torch.arange(1.0, knots // LOOK_KNOTS + 1)
    rate = 0.1 / model.config.knot_step_s
    circle_x_m, circle_y_m = 8.0 / rate * torch.sin(rate * seconds), 8.0 / rate * (1.0 - torch.cos(rate * seconds))
    assert torch.allclose(x_m[0, :, 0], circle_x_m, rtol=0.03)
    assert torch.allclose(y_m[0, :, 0], circle_y_m, rtol=0.03)


def test_a_new_second_look_changes_nothing_and_goes_on_from_a_model_without(tmp_path: Path) -> None:
    plain, refined = make_model(**ALL), make_model(**REFINED)
    config = TrainConfig("made", "none", False, (SOURCE,), (SOURCE,), model=plain.config)
    path = checkpoint(tmp_path / "plain.ckpt", config, plain)
    assert refined.refinement is not None
    torch.nn.init.zeros_(refined.refinement.out.weight)
    start_from(refined, path)
    history, length = histories(5, 9)
    with torch.no_grad():
        before, after = [model(history.packed(), length, surroundings(9)) for model in (plain, refined)]
    assert torch.equal(before.planes, after.planes)
    assert torch.equal(before.logits, after.logits)


def test_each_mode_is_corrected_on_its_own() -> None:
    model = make_model(**REFINED)
    assert model.refinement is not None
    history, length = histories(5, 9)
    torch.nn.init.zeros_(model.refinement.out.weight)
    with torch.no_grad():
        before = model(history.packed(), length, surroundings(9))
        model.refinement.out.bias[0] = 1.0  # the first knot's acceleration
        after = model(history.packed(), length, surroundings(9))
    assert (after.x_m != before.x_m).any(dim=1).all()
    assert torch.equal(after.logits, before.logits)


@pytest.mark.parametrize("changes", [{"map": None}, {"neighbours": 0}, {"knots": 10}, {"refine": -1}])
def test_it_needs_a_map_neighbours_and_knots_that_its_places_divide(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"model\.refine: expected 0, or a width with a map, neighbours and knots"):
        ModelConfig(**{**REFINED, "modes": 4, "decoder_stride": 1, **changes})
