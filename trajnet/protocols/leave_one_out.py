"""The ETH/UCY benchmark as it is published: five models, each trained without the scene that it is tested on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trajnet import config as configs
from trajnet.datasets.eth_ucy import ETH_UCY, ETH_UCY_SCENES
from trajnet.errors import InputError
from trajnet.evaluate import evaluate
from trajnet.export.graph import export_model, make_contract, write_model
from trajnet.json_safe import write_json
from trajnet.training.checkpoint import checkpoint_model
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.train import train

log = logging.getLogger(__name__)

#: Stands in the splits of the configuration for the scene that is left out.
PLACEHOLDER = "SCENE"

#: The metrics that are kept: the benchmark's two figures, those of the most probable path, and Social GAN's own sums.
KEPT = ("minADE_20", "minFDE_20", "minADE_1", "minFDE_1", "SocialGAN_best_of_20_ADE", "SocialGAN_best_of_20_FDE")

#: Best of 20, ADE and FDE in m for eth, hotel, univ, zara1, zara2 and their mean, as the methods' authors state them;
#: AgentFormer, EigenTrajectory and DDTA use other files for eth. None: only the mean is stated.
PUBLISHED: dict[str, tuple[tuple[float, float] | None, ...]] = {
    "Social GAN": ((0.71, 1.29), (0.48, 1.02), (0.56, 1.18), (0.34, 0.69), (0.31, 0.64), (0.48, 0.96)),
    "Trajectron++ (fixed)": (None, None, None, None, None, (0.32, 0.55)),
    "AgentFormer": ((0.45, 0.75), (0.14, 0.22), (0.25, 0.45), (0.18, 0.30), (0.14, 0.24), (0.23, 0.39)),
    "EigenTrajectory + LB-EBM": (None, None, None, None, None, (0.21, 0.34)),
    "DDTA": ((0.37, 0.50), (0.11, 0.16), (0.21, 0.40), (0.17, 0.30), (0.11, 0.23), (0.19, 0.32)),
}


def fold_config(config: TrainConfig, scene: str) -> TrainConfig:
    """Return the configuration of one fold: PLACEHOLDER in the splits of its sources becomes the scene.

    Raises InputError for sources without it.
    """

    def placed(sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        for source in sources:
            if source.kind != ETH_UCY.name or not source.split.startswith(f"{PLACEHOLDER}/"):
                raise InputError(
                    f"benchmark: expected sources of kind {ETH_UCY.name} with split {PLACEHOLDER}/train or "
                    f"{PLACEHOLDER}/val, got kind {source.kind!r} with split {source.split!r}"
                )
        return tuple(replace(s, split=s.split.replace(PLACEHOLDER, scene, 1)) for s in sources)

    return replace(
        config,
        name=f"{config.name}-{scene}",
        train=placed(config.train),
        validation=placed(config.validation),
    )


def leave_one_out(
    config: TrainConfig,
    data: Path,
    out: Path,
    scenes: Sequence[str] = ETH_UCY_SCENES,
    *,
    threads: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Train, export and test a model for each of the scenes; return the report, ready for JSON.

    Each fold has a folder in out: checkpoint, model.onnx, report.json. A fold that was trained before with the same
    configuration is not trained again; an interrupted one continues. The test is on the official windows of the scene
    (``trajnet evaluate --dataset eth_ucy``), which training and validation never see.
    Raises TrajnetError for a scene, a configuration or data that cannot be used.
    """
    unknown = [scene for scene in scenes if scene not in ETH_UCY_SCENES]
    if unknown or not scenes:
        raise InputError(f"scenes: expected some of {', '.join(ETH_UCY_SCENES)}, got {', '.join(unknown) or 'none'}")
    folds = {scene: fold_config(config, scene) for scene in scenes}
    results = {}
    for scene, fold in folds.items():
        checkpoint = train(fold, [data], out / scene, threads=threads, progress=progress)
        results[scene] = _tested(checkpoint, data, scene, out / scene)
        log.info("%s: %s", scene, results[scene]["model"])
    return {
        "benchmark": "ETH/UCY, leave one scene out, best of 20",
        "config": configs.to_dict(config),
        "git_revision": next(iter(results.values()))["git_revision"],
        "scenes": results,
        "mean": {who: _mean([results[s][who] for s in results]) for who in ("model", "cv")},
        "published": {name: dict(zip((*ETH_UCY_SCENES, "mean"), row, strict=True)) for name, row in PUBLISHED.items()},
    }


def _tested(checkpoint: Path, data: Path, scene: str, out: Path) -> dict[str, Any]:
    """Export the fold's model to out/model.onnx; return its figures on the scene beside those of constant velocity."""
    model, config, about = checkpoint_model(checkpoint)
    graph, proto = export_model(model)
    exported = out / "model.onnx"
    write_model(proto, make_contract(graph, config, about, proto.SerializeToString()), "", exported)
    report = evaluate(ETH_UCY.name, data, scene, [str(exported)])
    write_json(out / "report.json", report)
    figures = {entry["model"]: entry["metrics"] for entry in report["models"]}
    return {
        "windows": report["counts"]["whole"],
        "model": {key: figures[config.name][key] for key in KEPT},
        "cv": {key: figures["cv"][key] for key in KEPT if key in figures["cv"]},
        "parameters": model.parameter_count,
        "train_windows": about["windows"],
        "train_s": about["duration_s"],
        "git_revision": about["git_revision"],
    }


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the unweighted mean over the scenes, as the benchmark does."""
    return {key: sum(f[key] for f in figures) / len(figures) for key in figures[0]}
