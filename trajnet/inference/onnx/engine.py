"""Inference engine: runs the exported graph on preallocated buffers for every frame.

A worst-case latency can only be stated if ONNX Runtime never meets a new shape while driving. So a few numbers of
tracks (buckets) are prepared, each with its own arrays, bound to the session once and run once before the first frame.
A frame runs in the smallest bucket that holds it; unused rows are padded with new tracks at the origin, whose results
are ignored.

No row's result depends on other rows or on the bucket. With trajnet-urban on the CPU (AVX2) results are equal to the
byte: bucket sizes are multiples of 4, the number of rows that ONNX Runtime's matrix products process at once, so every
row takes the same kernel path. With wider layers, whose products are split differently, they are equal to 1e-4 m.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import any_true, grown
from trajnet.columns import INPUT_COLUMNS
from trajnet.errors import ConfigError
from trajnet.inference.contract import CARD_KEY, Contract, Tensor, read_contract
from trajnet.inference.onnx.session import PROVIDERS, GpuOptions, check_session, open_session

#: Prepared numbers of tracks. Padding adds at most half of a frame's rows, from 16 rows on.
BUCKETS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)

#: Padding of unused rows: a new track of unknown class, at rest at the origin. All other inputs are 0.
PADDING = {
    "observation": np.isin(INPUT_COLUMNS.names, ("reset", "length_m", "width_m", "class_unknown")).astype(np.float32)
}

#: Runs until a CUDA graph is recorded: the first one or two only allocate memory.
RUNS_TO_RECORD = 3

#: Alignment of arrays in bytes: a cache line, suitable for vector instructions, too.
_ALIGNMENT = 64

Arrays = dict[str, NDArray[Any]]
Fill = Callable[[Arrays], None]


class Bucket:
    """Buffers of the session for exactly ``tracks`` rows.

    inputs, outputs: name -> array of the whole bucket. On the CPU the session reads and writes them in place; for other
    providers they are copied to and from the device in every run. The caller fills the state inputs.
    graph_id: number of the bucket's CUDA graph, from 1 on; None: no CUDA graph is recorded.
    """

    def __init__(
        self, session: Any, contract: Contract, tracks: int, device: str, *, graph_id: int | None = None
    ) -> None:
        self.tracks = tracks
        self.inputs: Arrays = {t.name: _aligned(t, tracks, PADDING.get(t.name, 0.0)) for t in contract.inputs}
        self.outputs: Arrays = {t.name: _aligned(t, tracks, 0.0) for t in contract.outputs}
        self._session = session
        self._run_options = None if graph_id is None else _graph_options(graph_id)
        whole = slice(None)
        self._before = {t.name: (whole,) * t.shape.index("N") for t in (*contract.inputs, *contract.outputs)}
        self._used = 0
        self._views: dict[int, tuple[Arrays, Arrays]] = {}
        self._binding = session.io_binding()
        self._on_device: dict[str, Any] = {}
        for bind, arrays in ((self._binding.bind_input, self.inputs), (self._binding.bind_output, self.outputs)):
            for name, array in arrays.items():
                pointer = array.ctypes.data if device == "cpu" else self._device_copy(name, array, device)
                bind(name, device, 0, array.dtype, list(array.shape), pointer)

    def rows(self, count: int) -> tuple[Arrays, Arrays]:
        """Return cached views of the first ``count`` tracks of all inputs and of all outputs."""
        if count not in self._views:
            first = slice(count)
            self._views[count] = (
                {name: array[(*self._before[name], first)] for name, array in self.inputs.items()},
                {name: array[(*self._before[name], first)] for name, array in self.outputs.items()},
            )
        return self._views[count]

    def run(self, count: int) -> None:
        """Run one step of the first ``count`` rows; pad rows left by an earlier, larger frame."""
        if count < self._used:
            for name, array in self.inputs.items():
                array[(*self._before[name], slice(count, self._used))] = PADDING.get(name, 0.0)
        self._used = count
        if not self._on_device:
            self._session.run_with_iobinding(self._binding, self._run_options)
            return
        for name, array in self.inputs.items():
            self._on_device[name].update_inplace(array)
        self._session.run_with_iobinding(self._binding, self._run_options)
        for name, array in self.outputs.items():
            array[...] = self._on_device[name].numpy()

    def _device_copy(self, name: str, array: NDArray[Any], device: str) -> int:
        from onnxruntime import OrtValue

        self._on_device[name] = OrtValue.ortvalue_from_numpy(array, device, 0)
        pointer: int = self._on_device[name].data_ptr()
        return pointer


class Engine:
    """A checked model file, warmed up in every bucket, with the recurrent state of every slot.

    buckets: increasing numbers of tracks; one step takes at most as many rows as the largest. gpu: see GpuOptions.
    Raises ConfigError for invalid arguments, ContractError for an unusable file, DependencyError for a provider
    that is not available.
    """

    def __init__(
        self,
        path: Path,
        *,
        provider: str = "cpu",
        threads: int = 1,
        buckets: Sequence[int] = BUCKETS,
        gpu: GpuOptions = GpuOptions(),
    ) -> None:
        if not buckets or any(b <= 0 or b % 4 for b in buckets) or list(buckets) != sorted(set(buckets)):
            raise ConfigError(f"buckets: expected increasing multiples of 4, got {list(buckets)}")
        if provider == "tensorrt" and gpu.cuda_graph and len(buckets) > 1:
            raise ConfigError(
                f"cuda_graph: expected one bucket with provider tensorrt, got {list(buckets)}; "
                "provider cuda takes several"
            )
        session = open_session(path, provider=provider, threads=threads, gpu=gpu)
        metadata = session.get_modelmeta().custom_metadata_map
        self.contract = read_contract(metadata, str(path))
        self.card: str = metadata.get(CARD_KEY, "")
        self.provider: str = session.get_providers()[0]
        check_session(session, self.contract, str(path))
        device = "cpu" if self.provider == PROVIDERS["cpu"] else "cuda"
        several = provider == "cuda" and gpu.cuda_graph
        self.buckets = tuple(
            Bucket(session, self.contract, tracks, device, graph_id=i if several else None)
            for i, tracks in enumerate(buckets, start=1)
        )
        self._sizes = tuple(buckets)
        states = {t.name: t for t in self.contract.outputs if t.name.endswith("_next")}
        #: Total time of ONNX Runtime for all steps so far, ns, including copies to and from the device.
        self.graph_ns = 0
        self._states = tuple((name.removesuffix("_next"), name) for name in states)
        self._memory = {name: np.zeros(shape_for(states[after], 0), np.float32) for name, after in self._states}
        # The bucket and the slots of the last step, whose state is only in the bucket.
        self._newest: tuple[Bucket, bytes] | None = None
        # TensorRT rebuilds its engine for sizes outside the range it has met: the largest and the smallest span it.
        for bucket in (self.buckets[-1], *self.buckets) if provider == "tensorrt" else self.buckets:
            for _ in range(RUNS_TO_RECORD if gpu.cuda_graph else 1):
                bucket.run(0)

    @property
    def max_tracks(self) -> int:
        """Largest number of rows per step: the size of the largest bucket."""
        return self.buckets[-1].tracks

    def step(self, slot: NDArray[np.int64], reset: NDArray[np.bool_], fill: Fill) -> Arrays:
        """Run one step of the tracks in these slots (n,), n from 1 to max_tracks; reset (n,) marks new tracks.

        fill: writes the observations into the given arrays, n rows of each input of the contract.
        Returns n rows of each output: views, valid until the next step. If a step raises, the state is unchanged.
        """
        bucket, slots = self.buckets[bisect_left(self._sizes, len(slot))], slot.tobytes()
        inputs, outputs = bucket.rows(len(slot))
        fill(inputs)
        born = any_true(reset)
        same = not born and self._newest == (bucket, slots)
        if same:  # nearly always: the state is still where the last step left it
            for name, after in self._states:
                inputs[name][...] = outputs[after]
        else:
            self._remember_newest()
            for name, _ in self._states:
                memory = self._remembered(name, int(slot[slot.argmax()]) + 1)
                for layer, rows in zip(memory, inputs[name], strict=True):
                    layer.take(slot, axis=0, out=rows, mode="clip")
                    if born:
                        rows[reset] = 0.0  # only this clears a state; a NaN in it would stay for ever
        begin_ns = time.perf_counter_ns()
        try:
            bucket.run(len(slot))
        except BaseException:
            self._newest = None
            if same:
                self._remember(slot, [inputs[name] for name, _ in self._states])
            raise
        self.graph_ns += time.perf_counter_ns() - begin_ns
        self._newest = bucket, slots
        return outputs

    def _remember_newest(self) -> None:
        """Store the state that the last step left in its bucket; this is put off while the same tracks go on."""
        if self._newest is not None:
            (bucket, slots), self._newest = self._newest, None
            slot = np.frombuffer(slots, np.int64)
            outputs = bucket.rows(len(slot))[1]
            self._remember(slot, [outputs[after] for _, after in self._states])

    def _remember(self, slot: NDArray[np.int64], states: Sequence[NDArray[np.float32]]) -> None:
        """Store the states of these slots (n,): an array (layers, n, hidden) for each name."""
        for (name, _), state in zip(self._states, states, strict=True):
            for layer, rows in zip(self._memory[name], state, strict=True):
                layer[slot] = rows

    def _remembered(self, name: str, slots: int) -> NDArray[np.float32]:
        """Return the state of all slots, (layers, slots or more, hidden), after growing it if necessary."""
        memory = self._memory[name] = grown(self._memory[name], slots, axis=1)
        return memory


def _graph_options(graph_id: int) -> Any:
    """Return the run options that record or replay the CUDA graph of this number."""
    from onnxruntime import RunOptions

    options = RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph_id))
    return options


def shape_for(tensor: Tensor, tracks: int) -> tuple[int, ...]:
    """Return the tensor's shape for this many tracks."""
    return tuple(tracks if size == "N" else int(size) for size in tensor.shape)


def _aligned(tensor: Tensor, tracks: int, value: float | NDArray[np.float32]) -> NDArray[Any]:
    """Return a new aligned array of the tensor's type and shape, filled with one value or row."""
    dtype, shape = np.dtype(tensor.dtype), shape_for(tensor, tracks)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % _ALIGNMENT
    array: NDArray[Any] = raw[begin : begin + size].view(dtype).reshape(shape)
    array[...] = value
    return array
