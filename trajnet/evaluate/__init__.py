"""Predictors against what happened: the official benchmarks, and any scene streamed frame by frame."""

from trajnet.evaluate.evaluation_set import EvaluationSet, open_dataset
from trajnet.evaluate.report import evaluate
from trajnet.evaluate.runner import ModelResult, run_models

__all__ = ["EvaluationSet", "ModelResult", "evaluate", "open_dataset", "run_models"]
