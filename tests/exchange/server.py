"""A server on this machine that speaks as bioimage.io, Hugging Face and any file server do, and fails as they do."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

#: larger files of a repository are kept as LFS, as the hub does
LARGE = 2000


@dataclass
class Repository:
    """What a repository of the hub holds."""

    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    commit: str = "c" * 40


class Server(ThreadingHTTPServer):
    """``files`` by path, ``faults`` by path (a status, ``"cut"``, ``"slow"``, ``"lie"``), ``repositories`` by name;
    ``known_at``: paths to which somebody said who they are."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, Any] = {}
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.known_at: set[str] = set()
        self.stored: dict[str, bytes] = {}
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        if token := self.headers.get("Authorization"):
            self.server.tokens.append(token)
            self.server.known_at.add(path)
        fault = self.server.faults.get(path)
        if isinstance(fault, int):
            return self._say(fault, b"{}")
        if isinstance(fault, str) and fault.startswith("http"):
            self.send_response(302)
            self.send_header("Location", fault)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if path.startswith("/api/models/"):
            return self._about(path.removeprefix("/api/models/"))
        if "/resolve/" in path:
            name, _, rest = path[1:].partition("/resolve/")
            repository = self.server.repositories.get(name)
            content = None if repository is None else repository.files.get(rest.partition("/")[2])
        else:
            content = self.server.files.get(path)
        if content is None:
            return self._say(404, b"not here")
        return self._send(content, fault)

    def _about(self, rest: str) -> None:
        name, _, revision = rest.partition("/revision/")
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not self.headers.get("Authorization")):
            return self._say(404, b'{"error": "none"}', {"X-Error-Code": "RepoNotFound"})
        if revision not in ("", "main", repository.commit):
            return self._say(404, b'{"error": "none"}', {"X-Error-Code": "RevisionNotFound"})
        siblings = []
        for path, content in repository.files.items():
            one: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": _git(content)}
            if len(content) > LARGE:
                one["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            siblings.append(one)
        facts = {
            "_id": "1", "id": name, "modelId": name, "author": name.partition("/")[0], "sha": repository.commit,
            "private": repository.private, "tags": [], "downloads": 0, "likes": 0, "siblings": siblings,
            "cardData": {"license": "bsd-3-clause"},
        }  # fmt: skip
        return self._say(200, json.dumps(facts).encode())

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "")
        self.server.tokens.append(token)
        if path == "/api/validate-yaml":
            return self._say(200, b'{"errors": [], "warnings": []}')
        if not token:
            return self._say(401, b'{"error": "who are you"}')
        if path == "/artifacts/create":
            return self._say(200, b'{"id": "bioimage-io/new-newt"}')
        if path == "/artifacts/put_file":
            return self._say(200, json.dumps(f"{self.server.address}/put/{json.loads(body)['file_path']}").encode())
        if path == "/artifacts/edit":
            return self._say(200, b"{}")
        if path == "/api/repos/create":
            facts = json.loads(body)
            name = f"{facts.get('organization') or 'me'}/{facts['name']}"
            self.server.repositories.setdefault(
                name, Repository(private=facts.get("private") or facts.get("visibility") == "private")
            )
            return self._say(200, json.dumps({"url": f"{self.server.address}/{name}", "id": name}).encode())
        if "/preupload/" in path:
            files = [
                {"path": one["path"], "uploadMode": "lfs" if one["size"] > LARGE else "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self._say(200, json.dumps({"files": files}).encode())
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                {"oid": one["oid"], "size": one["size"], "actions": {"upload": {
                    "href": f"{self.server.address}/lfs/{one['oid']}", "header": {}}}}
                for one in json.loads(body)["objects"]
            ]  # fmt: skip
            return self._say(200, json.dumps({"transfer": "basic", "objects": objects}).encode())
        if "/commit/" in path:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            repository = self.server.repositories[name]
            for line in body.splitlines():
                one = json.loads(line)
                if one["key"] == "file":
                    repository.files[one["value"]["path"]] = base64.b64decode(one["value"]["content"])
                if one["key"] == "lfsFile":
                    repository.files[one["value"]["path"]] = self.server.stored[one["value"]["oid"]]
            repository.commit = hashlib.sha1(body).hexdigest()
            url = f"{self.server.address}/{name}/commit/{repository.commit}"
            said = {"commitUrl": url, "commitOid": repository.commit, "pullRequestUrl": None}
            return self._say(200, json.dumps(said).encode())
        return self._say(404, b"{}")

    def do_PUT(self) -> None:
        oid = self.path.rsplit("/", 1)[-1]
        self.server.stored[oid] = self.rfile.read(int(self.headers["Content-Length"]))
        self._say(200, b"")

    def _send(self, content: bytes, fault: Any) -> None:
        self.send_response(200)
        if fault != "endless":
            self.send_header("Content-Length", str(len(content)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "lie":
            content = content[:-1] + b"?"
        if fault == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if fault == "slow":
            self.server.ended.wait(60)
            self.close_connection = True
            return
        if fault == "endless":
            self.close_connection = True
            begun = time.monotonic()
            try:
                while time.monotonic() - begun < 20:
                    self.wfile.write(bytes(1 << 20))
            except OSError:
                pass
            return
        self.wfile.write(content)

    def _say(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def served() -> Iterator[Server]:
    """A server on a free port."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
