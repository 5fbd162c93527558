"""A page opened in a real Chromium: driven and questioned over the DevTools protocol, on the two pipes it offers.

Nothing but the standard library: a message is JSON ended by a zero byte (`--remote-debugging-pipe`).
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
        "ArrowDown": 40}  # fmt: skip
PATIENCE = 120.0  # seconds for any answer; a loaded machine is slow, a wrong answer is wrong at once


class Browser:
    """A Chromium of its own, with one page.

    Attributes:
        complaints: what the page wrote to its console, exceptions and refused requests among them.
        requests: every address the page asked for.
    """

    def __init__(self, process: subprocess.Popen[bytes], reader: int, writer: int) -> None:
        self.process, self.reader, self.writer = process, reader, writer
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._buffer = b""
        self._count = 0
        self._session: str | None = None
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    # ---- the protocol ----

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self.reader], [], [], PATIENCE)
            assert ready, "Chromium does not answer"
            part = os.read(self.reader, 1 << 20)
            assert part, "Chromium ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(str([each.get("value") for each in parameters["args"]]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])
            case "Page.loadEventFired":
                self._loaded = True

    # ---- what a person does ----

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=address)
        while not self._loaded:
            self._note(self._receive())

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def point(self, selector: str) -> None:
        """Move the mouse onto an element, which is scrolled into view first."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def prefer(self, **features: str) -> None:
        """Set what the reader prefers: `color_scheme="dark"`, `reduced_motion="reduce"`."""
        named = [{"name": f"prefers-{key.replace('_', '-')}", "value": value} for key, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def resize(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    # ---- what can be seen ----

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def picture(self, path: Path, *, whole: bool = False) -> Path:
        """A screenshot as PNG, of the window or of the whole page."""
        extra: dict[str, Any] = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            extra = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **extra)["data"]))
        return path

    def spoken(self) -> list[tuple[str, str]]:
        """(role, name) of all that a screen reader meets, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"] and "role" in node
        ]


@contextlib.contextmanager
def browser(*, scripts: bool = True) -> Iterator[Browser]:
    """Start a Chromium and end it; the test is skipped where none is installed or none starts."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on PATH: the page is not opened in a browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        theirs_in, writer = os.pipe()
        reader, theirs_out = os.pipe()

        def connect() -> None:  # commands are read from descriptor 3, answers go to 4
            first, second = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out))
            os.dup2(first, 3)
            os.dup2(second, 4)

        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}"], preexec_fn=connect, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            try:
                found = Browser(process, reader, writer)
            except (AssertionError, BrokenPipeError) as error:
                pytest.skip(f"Chromium does not start here: {error}")
            if not scripts:
                found.call("Emulation.setScriptExecutionDisabled", value=True)
            yield found
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
            os.close(reader)
            os.close(writer)
