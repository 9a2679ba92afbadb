"""Ctrl-C ends a command with exit code 130 and one sentence, also where a library answered it by another exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from trajnet.cli import main as cli
from trajnet.cli.interrupt import GO_ON, OTHERWISE


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def plain() -> None:
    raise KeyboardInterrupt


def as_lightning() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


def as_typer() -> None:
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ValueError from error
    except ValueError:
        sys.exit(1)


def with_words() -> None:
    raise KeyboardInterrupt("3 of 12 epochs are done")


def ended(monkeypatch: pytest.MonkeyPatch, command: str, stop: Callable[[], None]) -> int:
    monkeypatch.setattr(sys, "argv", ["trajnet", command])
    monkeypatch.setattr(cli, "build", lambda: lambda **_: stop())
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("command", ["evaluate", "convert", "export", "replay", "train", "check"])
@pytest.mark.parametrize("stop", [plain, as_lightning, as_typer])
def test_an_interrupt_is_one_sentence(
    command: str, stop: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, command, stop) == 130
    assert capsys.readouterr().err == f"trajnet: interrupted; {GO_ON.get(command, OTHERWISE)}\n"


def test_a_command_that_knows_more_says_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(monkeypatch, "train", with_words) == 130
    assert capsys.readouterr().err == "trajnet: interrupted; 3 of 12 epochs are done\n"


def test_other_exits_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, "convert", lambda: sys.exit(1)) == 1
