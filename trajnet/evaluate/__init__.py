"""Predictors against what happened: the official benchmarks, and any scene streamed frame by frame."""

from trajnet.evaluate.datasets import DATASETS, Dataset, open_dataset
from trajnet.evaluate.report import evaluate
from trajnet.evaluate.runner import ModelResult, run_models

__all__ = ["DATASETS", "Dataset", "ModelResult", "evaluate", "open_dataset", "run_models"]
