"""Confidence intervals of a mean over objects that come in tracks, by resampling whole tracks.

Successive predictions of one track are not independent. So whole tracks are drawn with replacement (cluster bootstrap;
Davison and Hinkley 1997, "Bootstrap Methods and their Application", 3.8), and the interval is that of the percentiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.types import FloatArray

RESAMPLES = 1000
LEVEL = 0.95

#: Draws of tracks held at once: 8 bytes each.
_BLOCK = 2_000_000


def mean_interval(
    values: FloatArray,
    track: NDArray[np.int64],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper limits (M,) of the means of values (N, M) over objects, by resampled tracks.

    track (N,): which track each object is of, any whole numbers. All columns see the same resamples. The same seed and
    number of tracks give the same draws. NaN where there is no object.
    Raises InputError for shapes that do not match.
    """
    if values.ndim != 2 or track.shape != values.shape[:1]:
        raise InputError(f"track: expected one for each of the values {values.shape}, got {track.shape}")
    if not len(values):
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    _, place = np.unique(track, return_inverse=True)
    place = place.ravel()
    tracks = int(place.max()) + 1
    count = np.bincount(place, minlength=tracks).astype(np.float64)
    total = np.zeros((tracks, values.shape[1]))
    np.add.at(total, place, values)
    random = np.random.default_rng([seed, tracks])
    block = max(1, _BLOCK // tracks)
    means = np.concatenate(
        [_resampled_means(total, count, min(block, resamples - start), random) for start in range(0, resamples, block)]
    )
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(means, [tail, 100.0 - tail], axis=0)
    return low, high


def _resampled_means(total: FloatArray, count: FloatArray, resamples: int, random: np.random.Generator) -> FloatArray:
    """Return the mean over objects (B, M) of B draws of as many tracks as there are; total (J, M), count (J,)."""
    tracks = len(count)
    drawn = random.integers(0, tracks, (resamples, tracks)) + tracks * np.arange(resamples)[:, None]
    weight = np.bincount(drawn.ravel(), minlength=resamples * tracks).reshape(resamples, tracks).astype(np.float64)
    means: FloatArray = (weight @ total) / (weight @ count)[:, None]
    return means
