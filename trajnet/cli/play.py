"""trajnet play: a scene as a ROS 2 node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajnet.errors import DependencyError, InputError


def play(
    scene: Annotated[Path, typer.Argument(help="A scene file or a bag.")],
    rate: Annotated[float, typer.Option(help="Times faster than recorded.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    start: Annotated[float, typer.Option(metavar="SECONDS", help="Begin this long after the first frame.")] = 0.0,
    stop: Annotated[float, typer.Option(metavar="SECONDS", help="End this long after the first frame.")] = 1e9,
    clock: Annotated[bool, typer.Option(help="Publish /clock; without it, stamps are the wall clock's.")] = True,
    topic: Annotated[str | None, typer.Option(help="Instead of Autoware's tracked objects.")] = None,
) -> None:
    """Publish a scene as tracked objects in real time, with /clock, for a prediction node to answer.

    Needs a ROS 2 installation with autoware_perception_msgs, sourced in this shell. While it plays, `ros2 param set
    /trajnet_player paused true` holds it. For example, beside a predictor that runs with use_sim_time:=true:

        trajnet play sim/scenes/intersection.parquet --loop
    """
    if not scene.exists():
        raise InputError(f"{scene}: no such file; check the path")
    try:
        from trajnet.ros.player import main
    except ImportError as error:
        raise DependencyError(
            f"play needs ROS 2 with autoware_perception_msgs, and {error.name} cannot be imported; "
            "source your workspace's setup file, with the Python version that it was built for"
        ) from error
    values = {"scene": scene.resolve(), "rate": float(rate), "start_s": float(start), "stop_s": float(stop)}
    arguments = ["--ros-args", "-p", f"loop:={str(loop).lower()}", "-p", f"clock:={str(clock).lower()}"]
    for name, value in values.items():
        arguments += ["-p", f"{name}:={value}"]
    if topic is not None:
        arguments += ["-r", f"~/output/objects:={topic}"]
    raise typer.Exit(main(arguments))
