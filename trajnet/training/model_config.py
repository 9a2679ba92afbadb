"""The sizes of the model, from the ``model`` section of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from trajnet.config import require
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.inference.contract import Cell

#: Knots from one place to the next at which a refined model reads what lies at its paths.
LOOK_KNOTS = 3


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of the model.

    cell: the recurrent cell of encoder and decoder. hidden, decoder_hidden, embedding: widths. modes: K.
    decoder_stride: knots for each step of the decoder, which is most of the computation of a step of the model.
    sets: growing numbers of modes, the last of them K. The first sets[0] modes are a set that covers the future by
    itself, the first sets[1] are the next larger one, and so on; the probability of a mode of a later set is never
    above that of an earlier one. So the first few paths by probability are as good as a model with so few modes.
    knots, knot_step_s: the future grid. uses_velocity: whether the tracker's measured velocity is a feature.
    map: the sample points of the map around an object, or None. Each patch of them becomes map_channels[0] numbers,
    each 2 x 2 patches map_channels[1], and so on; all patches of the last level together become map_width.
    neighbours: number of nearest objects in the attention, attention: its width, attention_heads: how many
    times it looks. all_agents: whether neighbours are all agents that were there, also those that a benchmark's own
    files do not list (see InputRequirements). refine: width of a second look, in which each mode reads the map and the
    neighbours where its path leads, and is corrected by them; it needs both, 0 is none. early_knots: so many first
    knots have at least the variances that follow from those of the knot after them (model.EARLY_MARGIN), because tidy
    training data let theirs fall to nothing. context: width of what the decoder starts from. dropout: in training, of
    the context, the map and the decoder's outputs.
    Raises ConfigError for sizes out of range.
    """

    cell: Cell = "lstm"
    hidden: int = 128
    decoder_hidden: int = 64
    decoder_embedding: int = 32
    decoder_stride: int = 1
    layers: int = 1
    embedding: int = 64
    context: int = 128
    modes: int = 6
    sets: tuple[int, ...] = ()
    knots: int = 12
    knot_step_s: float = 0.5
    uses_velocity: bool = False
    map: MapView | None = None
    map_channels: tuple[int, ...] = (16,)
    map_width: int = 96
    neighbours: int = 0
    all_agents: bool = False
    attention: int = 32
    attention_heads: int = 1
    refine: int = 0
    early_knots: int = 0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in (
            "hidden", "decoder_hidden", "decoder_embedding", "decoder_stride", "layers", "embedding", "context",
            "modes", "knots", "knot_step_s", "map_width", "attention", "attention_heads",
        ):  # fmt: skip
            require(getattr(self, name) > 0, f"model.{name}: expected a number above 0, got {getattr(self, name)}")
        require(
            self.knots % self.decoder_stride == 0,
            f"model.decoder_stride: expected a divisor of knots ({self.knots}), got {self.decoder_stride}",
        )
        require(
            0 <= self.early_knots < self.knots,
            f"model.early_knots: expected 0 to {self.knots - 1}, below knots, got {self.early_knots}",
        )
        require(self.neighbours >= 0, f"model.neighbours: expected at least 0, got {self.neighbours}")
        require(not self.all_agents or self.neighbours > 0, "model.all_agents: expected only with neighbours above 0")
        require(
            self.refine == 0
            or (self.refine > 0 and self.map is not None and self.neighbours > 0 and self.knots % LOOK_KNOTS == 0),
            f"model.refine: expected 0, or a width with a map, neighbours and knots ({self.knots}) that {LOOK_KNOTS} "
            f"divides, got {self.refine}",
        )
        require(
            bool(self.map_channels) and min(self.map_channels) > 0,
            f"model.map_channels: expected numbers above 0, got {list(self.map_channels)}",
        )
        squares = 2 ** (len(self.map_channels) - 1)
        require(
            self.map is None or not any(patches % squares for patches in self.map.shape[:2]),
            f"model.map_channels: {len(self.map_channels)} levels need numbers of patches that {squares} divides, got "
            f"{self.map and self.map.shape[:2]}",
        )
        require(0 <= self.dropout < 1, f"model.dropout: expected [0, 1), got {self.dropout}")
        sizes = (0, *self.sets)
        require(
            all(a < b for a, b in pairwise(sizes)) and (not self.sets or sizes[-1] == self.modes),
            f"model.sets: expected growing numbers up to modes ({self.modes}), got {list(self.sets)}",
        )

    @property
    def set_sizes(self) -> tuple[int, ...]:
        """The numbers of modes in the nested sets; one set of all modes by default."""
        return self.sets or (self.modes,)

    @property
    def requirements(self) -> InputRequirements:
        """The surroundings that the model needs."""
        return InputRequirements(self.map, self.neighbours, self.all_agents)

    @property
    def time_s(self) -> tuple[float, ...]:
        """The future times of the knots (T,)."""
        return tuple(round(self.knot_step_s * (i + 1), 9) for i in range(self.knots))
