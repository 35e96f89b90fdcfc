"""A finished run in a browser: its page, drawn from more of its data than the file holds, for this machine only."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np

from ..stages.dense import Cloud
from ..stages.failure import StageFailure

if TYPE_CHECKING:
    from .results.result import Result
    from .results.values import Dense

HOST = "127.0.0.1"
"""Nobody else on the network can connect."""

MOST = 2_000_000, 2_000_000, 2_000_000
"""Points, points of the cloud and triangles that are sent to the browser; a page in a file holds fewer."""

_MODELS = re.compile(r'(<script type="application/json" id="models">).*?(</script>)', re.DOTALL)
_LEFT_OUT = re.compile(r'<p class="soft" data-model="\d+"[^>]*>.*?</p>', re.DOTALL)
_PORTS = 100


@dataclass(frozen=True)
class Live:
    """A running server.

    Attributes:
        server: the HTTP server, in a thread of its own.
    """

    server: ThreadingHTTPServer

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.server.server_port

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


def view(out: str | Path, *, port: int = 8080, block: bool = True, say: Callable[[str], None] | None = None) -> Live:
    """Serve the page of a run to a browser on this machine.

    It draws up to two million points and triangles, and the depth map of any photo as points, beside the layers of the
    page in the file: cameras with their photos, points of the model, cloud and mesh.

    Args:
        out: the output folder of a run.
        port: where to listen; the next free one if it is taken.
        block: wait until interrupted, then end the server.
        say: called with the address once the server listens.

    Raises:
        StageFailure: ``no-record`` or ``no-result``: there is no run, or one without cameras; ``no-report``: its page
            is gone; ``no-port``: no port is free.
    """
    from .results.result import Result

    result = Result.load(out)
    names, dense = tuple(result.dense.depths), result.dense
    pages = {"/": page(result, names).encode()}

    @cache
    def answer(path: str) -> bytes | None:
        number = path.removeprefix("/depth/")
        if number.isascii() and number.isdecimal() and int(number) < len(names):
            return json.dumps(packed_depth(result, dense, names[int(number)])).encode()
        return pages.get(path)

    live = Live(_listening(port, answer))
    thread = Thread(target=live.server.serve_forever, daemon=True)
    thread.start()
    if say:
        say(live.address)
    if block:
        try:
            thread.join()
        finally:
            live.stop()
    return live


def page(result: Result, names: tuple[str, ...]) -> str:
    """The page of a run with more of its points and triangles, and the names of the photos that have a depth map."""
    from .report.document import asset, data_script
    from .report.viewer.packing import pack

    file = result.out / "report.html"
    if not file.is_file():
        raise StageFailure(
            "no-report", f"{file} is gone.", hint="Run the same command again: it writes the page from the store."
        )
    photo_of = {photo["name"]: i for i, photo in enumerate(result.record["photos"]["files"])}
    models, dense = result.sparse.models, result.dense
    surfaces = [(dense.cloud, dense.mesh), *((None, None) for _ in models[1:])]
    packed = [pack(model, photo_of, *each, most=MOST) for model, each in zip(models, surfaces, strict=True)]
    packed[0]["depths"] = names
    text = _LEFT_OUT.sub("", file.read_text("utf-8"))
    # The page in the file may fetch nothing; the served one may fetch depth maps, from here.
    text = text.replace("default-src 'none'", "default-src 'none'; connect-src 'self'", 1)
    data = f"{data_script('models', packed)}<script>{asset('served.js')}</script>"
    return _MODELS.sub(lambda _: data, text, count=1)


def packed_depth(result: Result, dense: Dense, name: str) -> dict[str, object]:
    """The depth map of a photo as the page's viewer draws a cloud."""
    from .report.viewer.packing import Frame
    from .report.viewer.surfaces import pack_cloud

    frame = Frame.of(result.scene)
    return pack_cloud(depth_points(dense, name), frame.middle, frame.unit, MOST[1])


def depth_points(dense: Dense, name: str) -> Cloud:
    """The pixels of a photo that have a depth, as points of the world."""
    view, depths = dense.views[name], dense.depths[name]
    row, column = np.nonzero(depths.depth)
    z = depths.depth[row, column].astype(np.float64)[:, None]
    rays = (np.stack([column, row], axis=1) + 0.5 - view.camera.principal_point) / view.camera.focal_lengths
    points = (np.concatenate([rays * z, z], axis=1) - view.translation) @ view.rotation
    normals = depths.normal[row, column].astype(np.float64) @ view.rotation
    return Cloud(points, normals, view.image[row, column], np.ones(len(points)), np.zeros(len(points)))


def _listening(port: int, answer: Callable[[str], bytes | None]) -> ThreadingHTTPServer:
    for each in range(port, min(port + _PORTS, 65536)):
        with suppress(OSError):
            return ThreadingHTTPServer((HOST, each), _handler(answer))
    raise StageFailure("no-port", f"No port from {port} on is free.", hint="Choose another with --port.")


def _handler(answer: Callable[[str], bytes | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A foreign site whose name leads to this machine sends its own name.
            host = self.headers.get("Host", "").rpartition(":")[0]
            found = answer(self.path) if host in (HOST, "localhost") else None
            if found is None:
                self.send_error(404 if host in (HOST, "localhost") else 403)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/" else "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, format: str, *args: object) -> None:
            logging.getLogger("diptych").debug(format, *args)

    return Handler
