"""Add to a model file the domain that it was trained on, from its configuration and its training data.

    python tools/add_domain.py trajnet/models/trajnet-nuscenes.onnx --config configs/nuscenes.yaml --data DATA

Files of `trajnet export` state their domain already; this is for files exported before they did. Only the metadata of
the file change: graph, weights and model id stay, and so does every answer inside of the domain. The configuration and
the data must be those of the training: the name and the number of windows are compared with the file's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from trajnet.config import load_yaml
from trajnet.errors import InputError, TrajnetError
from trajnet.export.graph import write_model
from trajnet.inference.contract import CARD_KEY, Contract, read_contract
from trajnet.inference.domain import Domain, domain_lines
from trajnet.training.config import TrainConfig
from trajnet.training.domain import training_domain
from trajnet.training.window_store import stored_windows

#: Why a file that is older than the count in each file does not fit its own configuration.
THINNED = (
    "; its configuration thins windows (every, standing_every), which is counted in each file since: a model that was "
    "trained before, as the shipped ones, saw others"
)


def read_model(path: Path) -> tuple[onnx.ModelProto, Contract, str]:
    """Return a model file's graph, contract and card. Raises InputError or ContractError for any other file."""
    try:
        proto = onnx.load(path)
    except Exception as error:  # onnx and protobuf have no common error type
        raise InputError(f"{path}: expected a model file, got: {' '.join(str(error).split())}") from error
    metadata = {p.key: p.value for p in proto.metadata_props}
    return proto, read_contract(metadata, str(path)), metadata.get(CARD_KEY, "")


def with_domain(path: Path, domain: Domain, out: Path) -> None:
    """Write the model file with this domain to out. Its graph, weights included, is written as the same bytes."""
    proto, contract, card = read_model(path)
    write_model(proto, replace(contract, domain=domain), card, out)


def domain_of(contract: Contract, config: TrainConfig, roots: list[Path], cache: Path) -> Domain:
    """Return the domain of a model trained with this configuration. Raises InputError if this model was not."""
    if contract.name != config.name:
        raise InputError(f"expected the configuration of {contract.name}, got that of {config.name}")
    windows = stored_windows(config.train, roots, np.array(config.model.time_s), config.model.requirements, cache)
    if len(windows) != contract.training.windows:
        thinned = any(source.every > 1 or source.standing_every > 1 for source in config.train)
        raise InputError(
            f"expected the {contract.training.windows:,} windows that {contract.name} was trained on, "
            f"the data give {len(windows):,}{THINNED if thinned else ''}"
        )
    return training_domain(windows.chunks(), config, windows.source_windows)


def main(arguments: list[str] | None = None) -> int:
    """Add the domain and print it; return 2, with one line, where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model file")
    parser.add_argument("--config", type=Path, required=True, help="the configuration that it was trained with")
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of its data; repeat it")
    parser.add_argument("--out", type=Path, help="the file to write; by default the model itself")
    parser.add_argument("--cache", type=Path, help="the windows folder of a training run; by default none is kept")
    given = parser.parse_args(arguments)
    try:
        config, (_, contract, _) = load_yaml(TrainConfig, given.config), read_model(given.model)
        with tempfile.TemporaryDirectory(prefix="trajnet-domain-") as folder:
            domain = domain_of(contract, config, given.data, given.cache or Path(folder))
        with_domain(given.model, domain, given.out or given.model)
    except TrajnetError as error:
        print(f"add_domain: {error}", file=sys.stderr)
        return 2
    print("\n".join(domain_lines(domain)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
