"""Scene files in a folder, of any format: whole recordings, streamed frame by frame."""

from __future__ import annotations

from trajnet.datasets.description import Dataset

SCENES = Dataset(
    name="scenes",
    title="scene files",
    licence="that of the files",
    use="mixed",
    download="any recording that `trajnet convert` reads",
)
