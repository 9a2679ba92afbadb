"""Drive headless Chromium with the DevTools protocol over a pipe: no driver, no port, no further package."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--disable-default-apps", "--remote-debugging-pipe"),
)

#: Whether one of our reports has drawn itself.
REPORT_READY = "document.documentElement.dataset.ready === 'true'"

#: What Chromium answers where the page that was asked has been left.
_PAGE_LEFT = (
    *("Inspected target navigated or closed", "Execution context was destroyed"),
    *("Cannot find context with specified id", "Cannot find default execution context"),
)

#: Program that puts the pipe's ends where Chromium expects them (3 to read, 4 to write) and executes Chromium.
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _pipe() -> tuple[int, int]:
    """Return a pipe whose file descriptors are 10 or more, so that 3 and 4 stay free."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


class Browser:
    """One Chromium process with one page. Every call waits for its answer, at most timeout_s."""

    def __init__(self, chromium: str, profile: Path, *, timeout_s: float = 60.0) -> None:
        commands, self._out = _pipe()
        self._in, answers = _pipe()
        launcher = [sys.executable, "-c", LAUNCH, str(commands), str(answers)]
        self._process = subprocess.Popen(
            [*launcher, chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._timeout_s = timeout_s
        self._buffer = b""
        self._last_id = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result; events before it are kept. Raises RuntimeError if it fails."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self._timeout_s
        while True:
            answer = self._read(deadline)
            if answer.get("id") != self._last_id:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise TimeoutError(f"Chromium gave no answer within {self._timeout_s} s")
            got = os.read(self._in, 1 << 16)
            if not got:
                raise RuntimeError(f"Chromium ended with code {self._process.wait()}")
            self._buffer += got
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited. Raises RuntimeError if it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until the expression is true, in whichever page is then shown. Raises TimeoutError after timeout_s."""
        deadline = time.monotonic() + self._timeout_s
        while not self._is_true(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression}: not true within {self._timeout_s} s")
            time.sleep(0.02)

    def _is_true(self, expression: str) -> bool:
        """Evaluate once; a page that goes away while it is asked has not answered, so it counts as false."""
        try:
            return bool(self.evaluate(expression))
        except RuntimeError as error:
            if any(left in str(error) for left in _PAGE_LEFT):
                return False
            raise

    def open(
        self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False, ready: str = REPORT_READY
    ) -> None:
        """Show a page in a window of this size and wait until it is ready: an expression, by default a report's."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self._load("about:blank")  # so that a page loads again if only its fragment changes
        self.events.clear()
        self._load(url)
        self.wait_for(ready)

    def _load(self, url: str) -> None:
        """Go to a page and wait for its load event; before that there may be no document to ask."""
        seen = len(self.events)
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + self._timeout_s
        while not any(e["method"] == "Page.loadEventFired" for e in self.events[seen:]):
            self.events.append(self._read(deadline))

    def key(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key, named as KeyboardEvent.key."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"key": key, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send mouseMoved, mousePressed, mouseReleased or mouseWheel at a point of the window."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button at a point of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def screenshot(self) -> bytes:
        """Return a picture of the window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """End the process."""
        try:
            self._session = None
            self.call("Browser.close")
        except (OSError, RuntimeError, TimeoutError):
            self._process.kill()
        finally:
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            os.close(self._out)
            os.close(self._in)
