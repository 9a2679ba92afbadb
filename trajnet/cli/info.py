"""trajnet info: what a model file says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajnet.cli.files import STDOUT, require_outputs
from trajnet.cli.predictor import model_file
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import ContractError
from trajnet.inference.contract import Contract
from trajnet.inference.domain import domain_lines
from trajnet.whole_file import write_text

FLAVOURS = {"streaming": "one operator for each", "unrolled": "written out as matrix products and gates"}


def info(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A bundled model's name, or a file.")] = "urban",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the contract as JSON; - prints it alone.")
    ] = None,
) -> None:
    """Show a model's contract (tensors, units, horizon, training data, licence, parity) and its model card.

    The file is opened as the vehicle would open it, so a model that cannot be served is refused here too.

        trajnet info urban

        trajnet info MODEL.onnx
    """
    from rich.table import Table

    from trajnet.cli.terminal import Console
    from trajnet.inference import OnnxPredictor
    from trajnet.models import model_names

    model = Path(model_file(name))
    if not model.exists():
        raise ContractError(
            f"{name}: expected a bundled model ({', '.join(model_names())}) or a file written by `trajnet export`, "
            "got no such file"
        )
    require_outputs([model], json=json_file)
    predictor = OnnxPredictor(model)
    contract = predictor.model_file.contract
    if json_file == STDOUT:
        print(contract.to_json())
        return
    if json_file is not None:
        write_text(json_file, contract.to_json() + "\n")
    console = Console()
    facts = Table(title=f"{contract.name} {contract.model_id}", title_justify="left", show_header=False)
    training = contract.training
    size_mb = model.stat().st_size / 1e6
    for label, value in (
        ("file", f"{model} ({size_mb:.2f} MB)"),
        ("horizon", f"{contract.time_s[-1]:g} s in {len(contract.time_s)} steps, first at {contract.time_s[0]:g} s"),
        ("modes", str(contract.modes)),
        ("classes", ", ".join(contract.classes)),
        ("cell", f"{contract.cell}, {contract.layers} layer(s) of {contract.hidden}"),
        ("measured velocity", "used where valid" if contract.uses_velocity else "not used"),
        ("map", view_of(contract.needs)),
        ("neighbours", neighbours_of(contract.needs)),
        ("trained on", "; ".join(training.datasets)),
        ("domain", "\n".join(domain_lines(contract.domain))),
        ("licence", training.licence),
        ("commercial use", "no" if training.non_commercial else "yes, see the licence"),
        ("training", f"{training.windows:,} windows, {training.epochs} epochs, seed {training.seed}"),
        ("training took", f"{training.duration_s:.0f} s"),
        ("history", f"trained with up to {training.history_s:g} s"),
        ("torch vs ONNX", f"at most {contract.parity_max_error_m:.1e} m apart"),
        ("precision", precision_of(contract)),
        ("recurrent layers", FLAVOURS[contract.flavour]),
        ("git revision", contract.git_revision),
    ):
        facts.add_row(label, value)
    console.print(facts)
    tensors = Table(
        title="tensors of one step, N tracks (at least 1: with none ONNX Runtime ends the process)",
        title_justify="left",
    )
    for column in ("", "name", "type", "shape", "meaning"):
        tensors.add_column(column)
    for side, group in (("in", contract.inputs), ("out", contract.outputs)):
        for tensor in group:
            tensors.add_row(side, tensor.name, tensor.dtype, " x ".join(tensor.shape), tensor.unit)
    console.print(tensors)
    if predictor.model_file.card:
        console.print_markdown(predictor.model_file.card)


def precision_of(contract: Contract) -> str:
    """Return the precision inside, and what it was found to cost."""
    gate = contract.gate
    if gate is None:
        return contract.precision
    return (
        f"{contract.precision}; minFDE {gate.min_fde_m:.3f} m, in fp32 {gate.fp32_min_fde_m:.3f} m; of the most "
        f"probable mode {gate.min_fde_1_m:.3f} m, in fp32 {gate.fp32_min_fde_1_m:.3f} m "
        f"({gate.objects:,} objects of {gate.data})"
    )


def neighbours_of(requirements: InputRequirements) -> str:
    """Return how many neighbours of an object are looked at, and whether it learned from all that there were."""
    if not requirements.neighbours:
        return "not used"
    return f"the {requirements.neighbours} nearest" + (", of all agents" if requirements.all_agents else "")


def view_of(requirements: InputRequirements) -> str:
    """Return the map's sample points around an object, in words."""
    if requirements.view is None:
        return "not used"
    view = requirements.view
    return (
        f"used where there is one: {view.ahead_m:g} m ahead, {view.behind_m:g} m behind, {view.side_m:g} m aside, "
        f"every {view.step_m:g} m" + (", with directions of traffic" if view.directions else "")
    )
