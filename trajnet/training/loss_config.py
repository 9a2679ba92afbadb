"""The weights of the loss; without torch, which processes that build windows need not load."""

from __future__ import annotations

from dataclasses import dataclass

from trajnet.config import require


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms beside the winner's mean displacement: mode classification and likelihood.

    temperature_m: the mode's target is softmax(-ADE / temperature); 0 gives all to the winner.
    shown: weight of the mean displacement of the most probable path, which is the one that is shown; it teaches that
    path. expected: weight of the expected mean displacement under the probabilities; it teaches the probabilities.
    taught: weight of what teachers say (TrainConfig.teachers) beside what was recorded. taught_blind: the share of the
    windows that they see without the map, so that what they know of the motion alone counts, too. taught_spread: their
    modes are futures themselves (0), or futures are drawn around them with so many of their standard deviations.
    set_weights: of the races among the modes of each of model.sets; empty: all alike. They are divided by their sum.
    """

    classification: float = 1.0
    likelihood: float = 0.2
    temperature_m: float = 0.0
    shown: float = 0.0
    expected: float = 0.0
    taught: float = 1.0
    taught_blind: float = 0.0
    taught_spread: float = 0.0
    set_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("classification", "likelihood", "temperature_m", "shown", "expected", "taught", "taught_spread"):
            require(getattr(self, name) >= 0, f"loss.{name}: expected at least 0, got {getattr(self, name)}")
        require(
            0 <= self.taught_blind <= 1, f"loss.taught_blind: expected a share from 0 to 1, got {self.taught_blind:g}"
        )
        require(
            all(w >= 0 for w in self.set_weights) and (not self.set_weights or sum(self.set_weights) > 0),
            f"loss.set_weights: expected numbers from 0, not all 0, got {list(self.set_weights)}",
        )
