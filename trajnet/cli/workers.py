"""Options of commands that spread their work: over processes of this machine, or over a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.errors import InputError

if TYPE_CHECKING:
    from trajnet.engine import Executor

Jobs = Annotated[int, typer.Option(help="Processes; 0 uses one for each core.", show_default=False)]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on a Ray cluster: auto, HOST:PORT, or local to start one here. Needs the extra [cluster].",
    ),
]


def chosen_executor(jobs: int, ray: str | None, tasks: int, *, worth: int = 1) -> Executor:
    """Return the executor that the options ask for.

    jobs 0: one process each core, but never more than one for each ``worth`` of the tasks, as a process takes about a
    second to start. Raises InputError for a negative number, and if there is no such cluster.
    """
    from trajnet.engine import executor_for
    from trajnet.timing.hardware import usable_cores

    if jobs < 0:
        raise InputError(f"jobs: expected a number of processes, or 0 for one each core, got {jobs}")
    if ray is not None:
        return executor_for(jobs, ray)
    return executor_for(min(jobs or min(usable_cores(), tasks // worth), tasks) or 1)
