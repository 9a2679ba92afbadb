"""The program behind docs/recurrent.md: its parts against cases made by hand, itself on bundled scenes, its page."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tools.recurrent_claims import __main__ as program
from tools.recurrent_claims.gradients import loss_gradients, state_gradients
from tools.recurrent_claims.histories import FUTURE_S, complete, recent, reordered, shortened, spread_out
from tools.recurrent_claims.networks import CELLS, LSTM, NETWORKS, RELU, TANH, width_for
from tools.recurrent_claims.tables import filled_in
from tools.recurrent_claims.training import Recipe, errors, fit
from trajnet.columns import INPUT_COLUMNS
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import nothing_around
from trajnet.datasets.windows import sliding_windows
from trajnet.errors import InputError
from trajnet.training.batches import Batch, Batches, steady_velocities
from trajnet.training.config import AugmentConfig, OptimizerConfig
from trajnet.training.feature_layouts import FEATURE_COLUMNS
from trajnet.training.loss_config import LossConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import unpacked
from trajnet.training.training_set import TrainingSet, training_set

ROOT = Path(__file__).resolve().parents[3]
SMALL = ModelConfig(hidden=8, decoder_hidden=8, embedding=8, modes=3)
PLAIN = AugmentConfig(mirror=False, drop=0.0, short=0.0)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    scene = load_scene(ROOT / "sim" / "scenes" / "crossing_small.parquet")
    windows = sliding_windows(scene, np.linspace(-1.0, 0.0, 11), FUTURE_S, stride=9, min_future_s=1.0)
    return training_set(windows, nothing_around(len(windows), InputRequirements()))


@pytest.fixture
def batch(data: TrainingSet) -> Batch:
    uneven = Batches(data, 40, augment=AugmentConfig(drop=0.4, short=0.5))[0]
    assert len(set(uneven.length.tolist())) > 3
    return uneven


def weights_of(network: torch.nn.RNNBase) -> dict[str, torch.nn.Parameter]:
    return dict(network.named_parameters())


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_rectified_network_multiplies_the_gradient_by_its_recurrent_matrix(factor: float) -> None:
    network = torch.nn.RNN(2, 3, nonlinearity="relu").double()
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        weights_of(network)["weight_hh_l0"].copy_(factor * torch.eye(3))
        weights_of(network)["bias_ih_l0"].fill_(0.1)  # all units are on
    gradient = torch.tensor([[3.0, 0.0, 4.0], [0.0, 2.0, 0.0]], dtype=torch.float64)
    found = state_gradients(network, torch.zeros(6, 2, 2, dtype=torch.float64), gradient)
    expected = torch.tensor([5.0, 2.0], dtype=torch.float64) * factor ** torch.arange(5.0, -1, -1).unsqueeze(1)
    assert torch.allclose(found, expected)


def test_an_lstm_multiplies_it_by_its_forget_gate() -> None:
    network = torch.nn.LSTM(2, 1).double()
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        # The forget gate; the cell stays 0, so tanh has slope 1 and the output gate is 1/2.
        weights_of(network)["bias_ih_l0"][1] = 1.0
    gradient = torch.ones(1, 1, dtype=torch.float64)
    found = state_gradients(network, torch.zeros(4, 1, 2, dtype=torch.float64), gradient)[:, 0]
    forget = 1.0 / (1.0 + math.exp(-1.0))
    assert found.tolist() == pytest.approx([0.5 * forget**3, 0.5 * forget**2, 0.5 * forget, 1.0])


def test_gradients_of_the_model_start_with_one_and_differ_by_the_start_of_the_network(data: TrainingSet) -> None:
    whole = complete(data, 6)
    curves = {n.name: loss_gradients(n.make(SMALL, 0), Batches(whole, 6)[0], LossConfig()) for n in NETWORKS}
    for curve in curves.values():
        assert curve.shape == (11, 6)
        assert curve[0].tolist() == pytest.approx([1.0] * 6)
    at_the_end = {name: float(np.median(curve[-1])) for name, curve in curves.items()}
    assert at_the_end[RELU.name] > 0.2
    assert at_the_end[LSTM.name] > 3 * at_the_end["LSTM, forget bias 0"]
    assert at_the_end[RELU.name] > 10 * at_the_end["ReLU RNN, ordinary start"]
    assert at_the_end[RELU.name] > 10 * at_the_end[TANH.name]


def test_earlier_motions_trade_places_and_the_last_stays(batch: Batch) -> None:
    draw = torch.Generator().manual_seed(1)
    shuffled = reordered(batch, draw, order="earlier motions shuffled")
    backward = reordered(batch, draw, order="earlier motions reversed")
    moved = 0
    plain, changed = unpacked(batch.history), [unpacked(b.history) for b in (shuffled, backward)]
    for name, before in plain._asdict().items():
        if name == "steady_velocity_mps":  # no motion's own, but what the store makes of them in their order
            continue
        for row, length in enumerate(batch.length.tolist()):
            was, now, turned = (h[:, row] for h in (before, *(getattr(history, name) for history in changed)))
            edge = [0, *range(length - 1, len(was))]
            assert torch.equal(now[edge], was[edge])
            assert torch.equal(turned[edge], was[edge])
            assert torch.equal(turned[1 : length - 1], was[1 : length - 1].flip(0))
            assert torch.equal(now.flatten().sort().values, was.flatten().sort().values)
            moved += not torch.equal(now, was)
    assert moved > len(batch.length)
    for history in changed:
        expected = steady_velocities(
            history.displacement_m, history.dt_s, history.velocity_mps, history.velocity_valid > 0
        )
        assert torch.equal(history.steady_velocity_mps, expected)
        assert not torch.equal(expected, plain.steady_velocity_mps)
    again = reordered(backward, draw, order="earlier motions reversed")
    for name, value in unpacked(again.history)._asdict().items():
        for row, length in enumerate(batch.length.tolist()):  # what lies behind the length means nothing
            torch.testing.assert_close(value[:length, row], getattr(plain, name)[:length, row])
    assert reordered(batch, draw, order="in order") is batch


def test_when_all_motions_trade_places_the_prediction_still_starts_where_it_did(batch: Batch) -> None:
    mixed = reordered(batch, torch.Generator().manual_seed(1), order="all motions shuffled")
    model = LSTM.make(SMALL, 0)
    # All but the steady velocity and the speed that is made of it, which rest on the order.
    own = [i for i in range(len(FEATURE_COLUMNS)) if i not in (3, 7, 10)]
    before, after = (model.features(b.history).features[..., own] for b in (batch, mixed))
    yaw_rad = INPUT_COLUMNS.index("yaw_rad")
    swapped = 0
    for row, length in enumerate(batch.length.tolist()):
        last = length - 1
        assert torch.equal(mixed.history[last, row, yaw_rad], batch.history[last, row, yaw_rad])
        assert torch.equal(after[0, row], before[0, row])
        now, was = (sorted(f[1:length, row].round(decimals=3).tolist()) for f in (after, before))
        assert np.allclose(now, was, atol=3e-3)  # the network is told of the same motions
        swapped += not torch.allclose(after[last, row], before[last, row], atol=1e-2)
    assert swapped > 5  # the others stand still, or kept their last motion


def test_histories_are_cut_where_they_begin(data: TrainingSet) -> None:
    whole = complete(data, 7)
    assert len(whole) == 7
    assert whole.observed.all()
    two = shortened(whole, 2)
    assert two.observed.sum(axis=1).tolist() == [2] * 7
    assert two.observed[:, -2:].all()
    assert Batches(two, 7)[0].length.tolist() == [2] * 7
    late = recent(whole, 4)
    for field in fields(TrainingSet):
        value, before = getattr(late, field.name), getattr(whole, field.name)
        assert np.array_equal(value, before if value.shape == before.shape else before[:, -4:])
    assert late.time_s.shape == (7, 4)
    assert spread_out(data, 3).object_class.shape == (3,)
    with pytest.raises(InputError, match="observed at all 11 steps"):
        complete(shortened(data, 2), 5)


@pytest.mark.parametrize("network", CELLS)
def test_a_cell_gets_as_wide_as_the_parameters_allow(network: object) -> None:
    limit = TrajectoryModel(SMALL).parameter_count
    config = width_for(network, SMALL, limit)  # type: ignore[arg-type]
    assert TrajectoryModel(config).parameter_count <= limit
    wider = replace(config, hidden=config.hidden + 1, decoder_hidden=config.decoder_hidden + 1)
    assert TrajectoryModel(wider).parameter_count > limit


def recipe(learning_rate: float = 3e-3, *, clip: float = 1.0, clips: bool = True) -> Recipe:
    optimizer = OptimizerConfig(epochs=2, batch=12, learning_rate=learning_rate, gradient_clip=clip)
    return Recipe(SMALL, PLAIN, optimizer, clips=clips)


def test_training_repeats_itself_lowers_the_loss_and_clips_only_where_asked(data: TrainingSet) -> None:
    first, again, free = (fit(TANH, recipe(clips=clips), data, 3) for clips in (True, True, False))
    assert first.loss == again.loss
    assert first.loss[-1] < first.loss[0]
    assert not first.diverged
    assert first.gradient_norm[0] == free.gradient_norm[0] > 1.0  # measured before it is clipped
    assert first.loss[2:] != free.loss[2:]
    unlimited = fit(TANH, recipe(clip=1e9), data, 3)
    assert unlimited.loss == pytest.approx(free.loss, rel=1e-4)


def test_training_ends_with_the_first_loss_that_is_no_number(data: TrainingSet) -> None:
    lost = fit(RELU, recipe(1e30, clips=False), data, 0)
    assert lost.diverged
    assert len(lost.loss) < len(fit(RELU, recipe(), data, 0).loss)


def test_errors_are_the_mean_over_all_windows(data: TrainingSet) -> None:
    model = LSTM.make(SMALL, 0).eval()
    halves = [errors(model, spread, [1, 3]) for spread in (spread_out(data, 600), data)]
    assert halves[1]["minADE_3"] <= halves[1]["minADE_1"]
    batch = Batches(data, len(data))[0]
    with torch.no_grad():
        paths = model(batch.history, batch.length, batch.surroundings)
    gap = torch.hypot(paths.x_m - batch.future_m[..., 0], paths.y_m - batch.future_m[..., 1])
    ade = (gap * batch.valid).sum(1) / batch.valid.sum(0)
    assert halves[1]["minADE_3"] == pytest.approx(float(ade.min(0).values.mean()), abs=2e-3)


def test_the_program_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = "\n".join(f"<!-- table: {name} -->\nold\n<!-- end -->" for name in ("cells", "context_ngsim"))
    (tmp_path / "recurrent.md").write_text(document)
    arguments = ["--smoke", "--out", str(tmp_path), "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr("sys.argv", ["recurrent_claims", *arguments])
    assert program.main() == 0
    found = json.loads((tmp_path / "recurrent.json").read_text())
    assert set(found) == set(program.PARTS)
    assert all(found[part]["about"]["budget"]["seeds"] == 1 for part in found)
    pictures = sorted(p.name for p in (tmp_path / "images" / "recurrent").iterdir())
    assert pictures == [f"{name}.svg" for name in ("cells", "context", "explosion", "gradients", "order")]
    written = (tmp_path / "recurrent.md").read_text()
    assert "old" not in written
    assert f"| {found['cells']['rows']['GRU']['parameters']:,} |" in written
    assert filled_in(written, found) == written


def test_data_and_markers_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["recurrent_claims", "--out", str(tmp_path)])
    with pytest.raises(InputError, match="--data"):
        program.main()
    monkeypatch.setattr("sys.argv", ["recurrent_claims", "--only", "pictures", "--out", str(tmp_path)])
    with pytest.raises(InputError, match=r"recurrent\.json"):
        program.main()
    with pytest.raises(InputError, match="cellls"):
        filled_in("<!-- table: cellls -->\n<!-- end -->", json.loads((ROOT / "docs" / "recurrent.json").read_text()))


def test_the_document_has_the_figures_of_its_json_and_small_pictures_for_both_themes() -> None:
    text = (ROOT / "docs" / "recurrent.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "docs" / "recurrent.json").read_text(encoding="utf-8"))
    assert filled_in(text, found) == text
    assert text.count("<!-- table: ") == 7
    shown = re.findall(r"\]\((images/recurrent/[^)]+)\)", text)
    assert sorted(Path(p).stem for p in shown) == ["cells", "context", "explosion", "gradients", "order"]
    for name in shown:
        picture = ROOT / "docs" / name
        assert picture.stat().st_size < 60_000
        assert "prefers-color-scheme:dark" in picture.read_text(encoding="utf-8")
