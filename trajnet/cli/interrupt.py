"""Ctrl-C: exit code 130, and one sentence that says what is left and how to go on."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

#: Command -> what is left of it and how to go on. A command that knows more raises KeyboardInterrupt with its words.
GO_ON = {
    "train": "run the same command again to go on from the last epoch that was finished",
    "evaluate": "files are written at the end; --resume FILE keeps what is finished; --stride scores fewer frames",
    "convert": "every table that is there is whole; run the same command again for the others",
    "export": "the model file was not written; run the same command again",
    "replay": "files are written at the end; run the same command again, --rate max plays as fast as it can",
}
OTHERWISE = "run the same command again; files are written whole or not at all"


def interrupt_behind(stop: SystemExit) -> KeyboardInterrupt | None:
    """Return the interrupt that a library answered with SystemExit, or None; typer and Lightning do so."""
    cause: BaseException | None = stop
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def leave_interrupted(interrupt: KeyboardInterrupt) -> NoReturn:
    """Print the sentence on stderr and end with exit code 130, as a shell says of a command that SIGINT ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the next one must not break the sentence
    command = next((word for word in sys.argv[1:2]), "")
    words = interrupt.args[0] if interrupt.args else GO_ON.get(command, OTHERWISE)
    print(f"trajnet: interrupted; {words}", file=sys.stderr)
    raise SystemExit(130) from None
