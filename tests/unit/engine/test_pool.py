"""The executors of one machine: order, bounds, errors, lost workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engine.tasks import die_always, die_once, die_once_each, refuse_three, square, warn
from trajnet.engine import Executor, InProcess, ProcessPool, executor_for
from trajnet.engine.base import AHEAD
from trajnet.errors import InputError, TrajnetError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["in process", "pool"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return InProcess() if request.param == "in process" else ProcessPool(2)


def test_results_come_in_the_order_of_the_tasks(executor: Executor) -> None:
    assert list(executor.map(square, range(20))) == [n * n for n in range(20)]
    assert list(executor.map(square, [])) == []


def test_what_a_task_raises_is_raised(executor: Executor) -> None:
    results = executor.map(refuse_three, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match="got 3"):
        next(results)


def test_what_tasks_log_comes_with_their_results_and_not_from_the_workers(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert list(ProcessPool(2).map(warn, range(4))) == [0, 1, 2, 3]
    assert [record.getMessage()[:7] for record in caplog.records] == [f"task {number}," for number in range(4)]
    assert "task" not in capfd.readouterr().err


def test_tasks_are_taken_as_results_are_fetched() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = ProcessPool(2).map(square, endless())
    assert [next(results) for _ in range(3)] == [1, 4, 9]
    assert taken == 2 + 2 * AHEAD  # the third was fetched before its place was filled again
    results.close()  # type: ignore[attr-defined]


def test_tasks_of_dead_workers_run_again(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path)) for number in range(12)]
    assert list(ProcessPool(2).map(die_once, tasks)) == [n * n for n in range(12)]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["died-2", "died-7"]


def test_only_tasks_that_ran_count_as_having_lost_their_worker(tmp_path: Path) -> None:
    """The third waits through three deaths and is no more than once the cause."""
    assert list(ProcessPool(1).map(die_once_each, [(number, str(tmp_path)) for number in range(3)])) == [0, 1, 4]


def test_a_worker_may_die_while_nobody_asks_for_results(tmp_path: Path) -> None:
    results = ProcessPool(1).map(die_once, [(number, str(tmp_path)) for number in range(12)])
    found = [next(results), next(results)]
    while any(type(thread).__name__ == "_ExecutorManagerThread" for thread in threading.enumerate()):
        time.sleep(0.01)  # until the pool has noticed: it refuses the next task
    assert [*found, *results] == [n * n for n in range(12)]


def test_a_task_that_kills_its_worker_every_time_ends_the_run() -> None:
    with pytest.raises(TrajnetError, match="a worker process died 3 times at task"):
        list(ProcessPool(2).map(die_always, range(4)))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    """Also when it is killed: nobody is left who holds files, memory and cores."""
    code = (
        "from tests.unit.engine.tasks import wait_for_file\n"
        "from trajnet.engine import ProcessPool\n"
        f"folders = {[str(tmp_path), str(tmp_path), str(tmp_path / 'free')]}\n"
        "list(ProcessPool(3).map(wait_for_file, enumerate(folders)))"
    )
    (tmp_path / "free").mkdir()
    (tmp_path / "free" / "go").touch()  # the third worker has nothing left to do
    script = tmp_path / "run.py"
    script.write_text(f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "stderr").open("w") as words:
        parent = subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True, stderr=words)
    while len(began := list(tmp_path.rglob("began-*"))) < 3 and parent.poll() is None:
        time.sleep(0.02)
    workers = [int(file.name.rsplit("-", 1)[1]) for file in began]
    if how == signal.SIGINT:
        os.killpg(parent.pid, how)  # as a terminal does it
    else:
        parent.kill()
    parent.wait()
    for worker in workers:
        while _runs(worker):  # a worker that stays lets the test hang, and pytest's own limit end it
            time.sleep(0.02)
    assert len(workers) == 3
    assert "SpawnProcess" not in (tmp_path / "stderr").read_text()  # a traceback of each worker


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_options_choose() -> None:
    assert isinstance(executor_for(1), InProcess)
    assert executor_for(3).workers == 3
    with pytest.raises(InputError, match="jobs: expected at least 1, got 0"):
        executor_for(0)
