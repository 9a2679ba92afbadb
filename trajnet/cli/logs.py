"""What of the libraries' talk reaches a user's terminal."""

from __future__ import annotations

import logging
import warnings


def show_warnings() -> None:
    """Our own notices; of torch and Lightning only what went wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "torch", "onnx_ir", "onnxscript", "onnxslim"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")


def show_transfers() -> None:
    """Tell on stderr what is fetched from remote stores, which may take long."""
    log = logging.getLogger("trajnet.remote")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    log.propagate = False
