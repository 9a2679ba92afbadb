"""Export a checkpoint to one self-describing ONNX file that has passed the gates."""

from trajnet.export.graph import StepGraph, export_model
from trajnet.export.parity import Parity, check_graph, parity

__all__ = ["Parity", "StepGraph", "check_graph", "export_model", "parity"]
