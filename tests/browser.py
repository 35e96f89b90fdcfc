"""A real browser, driven through its debugging pipe: no server, no port and no further package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Browser:
    """One page in a browser: what is evaluated in it, what it says on its console, and how it looks."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = os.fdopen(commands, "wb", 0), os.fdopen(answers, "rb", 0)
        self._rest, self._number, self._session = b"", 0, ""
        self.problems: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """Close the browser."""
        self._session = ""
        self.send("Browser.close")
        self._commands.close()
        self._answers.close()

    def open(
        self, page: Path | str, width: int = 1280, height: int = 900, scheme: str = "light", scale: float = 1
    ) -> float:
        """Load a file or an address and wait until it has drawn its second frame.

        Returns:
            Seconds since the browser was asked.
        """
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media="screen", features=features)
        began = time.perf_counter()
        self.send("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self._until("Page.loadEventFired")
        self.settle()
        return time.perf_counter() - began

    def busy(self) -> float:
        """Processor seconds that all processes of the browser have taken so far, its software renderer among them."""
        session, self._session = self._session, ""
        processes = self.send("SystemInfo.getProcessInfo")["processInfo"]
        self._session = session
        return sum(process["cpuTime"] for process in processes)

    def settle(self) -> None:
        """Wait until what has been asked for is drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 0)")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place of the window and let it go at another."""
        between = [tuple(np.add(start, np.subtract(end, start) * share)) for share in (0.3, 0.7, 1.0)]
        self._mouse("mousePressed", start)
        for at in between:
            self._mouse("mouseMoved", at)
        self._mouse("mouseReleased", end)
        self.settle()

    def click(self, at: tuple[float, float]) -> None:
        """Click at a place of the window."""
        self.drag(at, at)

    def middle(self, selector: str) -> tuple[float, float]:
        """Scroll an element into the window, and tell where its middle then is."""
        found = f"const e = document.querySelector({json.dumps(selector)});"
        place = "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2];"
        x, y = self.evaluate(f"(() => {{ {found} e.scrollIntoView({{block: 'center'}}); {place} }})()")
        self.settle()
        return x, y

    def screenshot(self, *, whole: bool = False) -> np.ndarray:
        """What the window shows, or the whole page, RGB."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        drawn = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert drawn is not None
        return drawn[..., ::-1]

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _mouse(self, kind: str, at: tuple[float, ...]) -> None:
        down = 0 if kind == "mouseReleased" else 1
        self.send(
            "Input.dispatchMouseEvent",
            type=kind,
            x=at[0],
            y=at[1],
            button="left",
            buttons=down,
            clickCount=1,
            pointerType="mouse",
        )

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = self._answers.read(1 << 20)
            assert read, "the browser has gone"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        told = json.loads(message)
        match told.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(told["params"]["exceptionDetails"]))
            case "Log.entryAdded" | "Runtime.consoleAPICalled":
                self.problems.append(json.dumps(told["params"]))
        return told


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a fresh profile, closed at the end."""
    commands, answers = os.pipe(), os.pipe()
    # The browser's own children may still write to the profile when it is gone.
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The browser expects its commands at descriptor 3 and answers at descriptor 4.
        shell = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
        process = subprocess.Popen(
            ["bash", "-c", shell, "bash", str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(commands[0], answers[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands[0])
        os.close(answers[1])
        page = Browser(commands[1], answers[0])
        try:
            yield page
        finally:
            try:
                page.close()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
