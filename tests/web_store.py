"""A web server of files as stores lie behind one: ranges, a delay before each answer, answers that fail, an end."""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class WebStore:
    """Serves a folder on a port of this machine, a free one unless it is named, until :meth:`close`.

    Attributes
    ----------
    asked
        Every request so far: method, path and status.
    delay_s
        Before each answer.
    fails
        Called with the number of a request; True: it is answered with 503.
    """

    def __init__(self, folder: Path, *, delay_s: float = 0.0, fails: Any = None, port: int = 0) -> None:
        self.folder, self.delay_s, self.fails = folder, delay_s, fails
        self.asked: list[tuple[str, str, int]] = []
        self._lock = threading.Lock()
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:
                store._answer(self, body=True)

            def do_HEAD(self) -> None:
                store._answer(self, body=False)

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._dead = False

    def __enter__(self) -> WebStore:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        self._dead = True
        self._server.shutdown()
        self._server.server_close()

    def count(self) -> int:
        """Requests since the last call."""
        with self._lock:
            number = len(self.asked)
            self.asked.clear()
        return number

    def _answer(self, request: Any, *, body: bool) -> None:
        time.sleep(self.delay_s)
        if self._dead:
            request.close_connection = True
            return
        path = self.folder / unquote(urlsplit(request.path).path).lstrip("/")
        status, data, headers = 200, b"", {"Accept-Ranges": "bytes"}
        with self._lock:
            number = len(self.asked)
            if self.fails is not None and self.fails(number):
                status = 503
            elif not path.is_file():
                status = 404
            else:
                data = path.read_bytes()
                headers["ETag"] = f'"{path.stat().st_mtime_ns}"'
                if wanted := re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "")):
                    status, data = self._part(data, wanted[1], wanted[2], headers)
            self.asked.append((request.command, request.path, status))
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if body:
            request.wfile.write(data)

    @staticmethod
    def _part(data: bytes, first: str, last: str, headers: dict[str, str]) -> tuple[int, bytes]:
        start = int(first) if first else max(0, len(data) - int(last))
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return 206, data[start:stop]


def write_nuclei(folder: Path, shape: tuple[int, int, int]) -> None:
    """An OME-Zarr 0.4 of three scales as the Image Data Resource keeps them: (c, z, y, x) in chunks of one plane."""
    import numpy as np
    import zarr

    rng = np.random.default_rng(0)
    grid = np.indices(shape, np.float32)
    signal = np.zeros(shape, np.float32)
    for _ in range(24):
        middle, radius = rng.uniform(0.1, 0.9, 3) * shape, rng.uniform(0.06, 0.12) * shape[1]
        steps = np.array([2.0, 1.0, 1.0]) * min(1.0, shape[1] / shape[0])
        near = sum(((g - m) * s) ** 2 for g, m, s in zip(grid, middle, steps, strict=True))
        signal = np.maximum(signal, np.clip(1.5 - np.sqrt(near) / radius, 0, 1))
    noise = rng.normal(0, 25, (2, *shape)).astype(np.float32)
    picture = np.clip(np.stack([signal * 120, signal * 500]) + 110 + noise, 0, None).astype(np.uint16)
    listed: list[Any] = []
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for scale in range(3):
        step = 2**scale
        part = picture[..., ::step, ::step]
        group.create_array(str(scale), data=part, chunks=(1, 1, *part.shape[2:]))
        sizes = [1.0, 0.5, 0.36 * step, 0.36 * step]
        listed.append({"path": str(scale), "coordinateTransformations": [{"type": "scale", "scale": sizes}]})
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": listed}]
    group.attrs["omero"] = {"channels": [{"label": "LaminB1"}, {"label": "Dapi"}]}
