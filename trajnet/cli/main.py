"""Entry point of the ``trajnet`` command. Errors that a user can act on are one sentence and exit code 2."""

# No postponed annotations here: typer reads those of `options` where they stand, inside build().
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from trajnet import __version__
from trajnet.cli.interrupt import interrupt_behind, leave_interrupted
from trajnet.cli.logs import show_transfers
from trajnet.errors import DependencyError, InputError, TrajnetError, in_words, install_advice

if TYPE_CHECKING:
    import typer

#: Top-level module -> the extra that brings it.
EXTRAS = {
    "typer": "tools", "rich": "tools", "pyarrow": "tools", "PIL": "tools", "torch": "train", "lightning": "train",
    "tensorboard": "train", "onnx": "train", "onnxscript": "train", "onnxslim": "train", "commonroad": "train",
    "rosbags": "ros", "mcap": "ros", "mcap_ros2": "ros", "onnxruntime": "cpu", "rerun": "view",
    "fsspec": "remote", "s3fs": "remote",
}  # fmt: skip


#: The variable by which a shell asks for completions.
COMPLETION_VARIABLE = "_TRAJNET_COMPLETE"


def build() -> "typer.Typer":
    """Return the command line with all its commands."""
    import typer
    from typer.completion import completion_init  # type: ignore[attr-defined]

    from trajnet.cli import (
        bag,
        bench,
        benchmark,
        check,
        convert,
        demo,
        evaluate,
        export,
        info,
        play,
        predict,
        replay,
        train,
        view,
    )  # fmt: skip

    app = typer.Typer(
        name="trajnet",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Trajectory prediction for automated vehicles: train, export, evaluate, replay, and ROS 2.\n\n"
        "Start with `trajnet demo`. Every command explains itself with -h.",
    )
    if COMPLETION_VARIABLE in os.environ:  # the shell asks for what could come next
        completion_init()

    @app.callback(invoke_without_command=True)
    def options(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", help="Show the version and leave."),
        completion: str = typer.Option("", metavar="SHELL", help="Print completions for bash, zsh or fish and leave."),
    ) -> None:
        if completion:
            print(completion_script(completion))
            raise typer.Exit
        if version:
            print(f"trajnet {__version__}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            print(context.get_help())
            raise typer.Exit

    for command in (
        demo.demo,
        replay.replay,
        bench.bench,
        evaluate.evaluate,
        convert.convert,
        check.check,
        predict.predict,
        train.train,
        export.export,
        info.info,
        play.play,
        view.view,
    ):
        app.command()(command)
    app.add_typer(bag.app, name="bag")
    app.add_typer(benchmark.app, name="benchmark")
    return app


def completion_script(shell: str) -> str:
    """Return the lines that make a shell complete our commands and options. Raises InputError for another shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in ("bash", "zsh", "fish"):
        raise InputError(f"completion: expected bash, zsh or fish, got {shell!r}")
    script: str = get_completion_script(prog_name="trajnet", complete_var=COMPLETION_VARIABLE, shell=shell)
    return script


def missing(error: ImportError) -> DependencyError | None:
    """Return what to install for a missing package of an extra, or None for any other import error."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    return DependencyError(
        f"{error.name} is needed for this and is not installed for {sys.executable}; run: {install_advice(extra)}"
    )


def main() -> None:
    """Run the command of the process; leaves by SystemExit."""
    show_transfers()
    try:
        build()(prog_name="trajnet")
    except ImportError as error:
        known = missing(error)
        if known is None:
            raise
        fail(known)
    except TrajnetError as error:
        fail(error)
    except BrokenPipeError:
        leave_closed_pipe()
    except OSError as error:  # a path that cannot be read or written, or a full disk
        fail(InputError(f"{error.filename or 'a file'}: {error.strerror or in_words(error)}"))
    except UnicodeError as error:
        fail(InputError(f"expected text in UTF-8: {in_words(error)}"))
    except KeyboardInterrupt as interrupt:
        leave_interrupted(interrupt)
    except SystemExit as stop:
        leave_for_its_cause(stop)
        raise


def leave_for_its_cause(stop: SystemExit) -> None:
    """Leave in our own way where a library answered an interrupt or a closed pipe by an exit code; else return."""
    interrupt = interrupt_behind(stop)
    if interrupt is not None:
        leave_interrupted(interrupt)
    if isinstance(stop.__context__, BrokenPipeError):  # rich and typer answer it by exit code 1
        leave_closed_pipe()


def leave_closed_pipe() -> NoReturn:
    """End as SIGPIPE does, exit code 141, without a word: `trajnet ... | head` is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(141) from None


def fail(error: TrajnetError) -> None:
    """Print one sentence on stderr and end with exit code 2."""
    print(f"trajnet: {' '.join(str(error).split())}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
