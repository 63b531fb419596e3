"""The hub of deploy/hub, started for tests: two users of their own numbers on a machine that only the hub sees.

Where the system lets root have a private view of its files, ``ann`` and ``bob`` are users of that view and of nothing
else; elsewhere both run as the one user there is, and a warning says what was not tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Sequence
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "deploy" / "hub" / "jupyterhub_config.py"
USERS = {"ann": 2001, "bob": 2002}
#: the group of both
GROUP = 2100
TOKEN = "of-a-test-and-of-nothing-else"

#: what tests change of the recipe: no passwords, and a token that may end servers
_CHANGES = """
import os
load_subconfig(os.environ["HUB_RECIPE"])
c.JupyterHub.authenticator_class = "dummy"
c.Spawner.args = [*c.Spawner.args, "--LabApp.expose_app_in_browser=True"]
c.Spawner.environment = {**c.Spawner.environment, "PYTHONPATH": os.environ["HUB_SOURCES"], "OMP_NUM_THREADS": "1"}
c.JupyterHub.services = [{"name": "tests", "api_token": os.environ["HUB_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "tests", "services": ["tests"], "scopes": ["admin:servers", "list:users"]}]
if "HUB_HOMES" in os.environ:
    c.JupyterHub.spawner_class = "jupyterhub.spawner.SimpleLocalProcessSpawner"
    c.SimpleLocalProcessSpawner.home_dir_template = os.environ["HUB_HOMES"] + "/{username}"
"""

#: the private view: other lists of users, and what only root may walk through replaced by what is needed of it
_VIEW = """
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
. "$1/open.sh"
shift
exec "$@"
"""


def proxy() -> str | None:
    """The command of configurable-http-proxy, where ``make`` puts it or on the path."""
    ours = Path(sys.prefix) / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
    return str(ours) if ours.exists() else shutil.which("configurable-http-proxy")


def private_views() -> bool:
    """Whether this process may have a view of the machine's files that only its children share."""
    if os.getuid() or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--mount", "--propagation", "private", "true"], capture_output=True)
    return tried.returncode == 0


class Hub:
    """JupyterHub and its proxy on free loopback ports, under a prefix.

    ``root`` is open to its users: homes, the queue, ``data`` (root's, to be read) and ``shared`` (the group's).
    """

    prefix = "/imaging/hub"

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="voxloop-hub-"))
        self.root.chmod(0o755)
        self.separate = private_views()
        if not self.separate:
            warnings.warn("one user stands for two: only root in a private view of files can be both", stacklevel=2)
        self._folders()
        ports = _free_ports(3)
        self.url = f"http://127.0.0.1:{ports[0]}{self.prefix}"
        (self.root / "config.py").write_text(_CHANGES)
        env = {
            **os.environ,
            "HUB_RECIPE": str(RECIPE),
            "HUB_SOURCES": str(RECIPE.parents[2] / "src"),
            "HUB_TOKEN": TOKEN,
            "VOXLOOP_HUB_URL": self.url,
            "VOXLOOP_HUB_PROXY_URL": f"http://127.0.0.1:{ports[1]}/",
            "VOXLOOP_HUB_INNER_URL": f"http://127.0.0.1:{ports[2]}/",
            "VOXLOOP_HUB_PROXY": proxy() or "",
            "VOXLOOP_HUB_QUEUE": str(self.queue),
            "VOXLOOP_HUB_STATE": str(self.root / "state"),
            **({} if self.separate else {"HUB_HOMES": str(self.root / "home")}),
        }
        hub = [sys.executable, "-m", "jupyterhub", "-f", str(self.root / "config.py")]
        self._log = (self.root / "hub.log").open("wb")
        self._process = subprocess.Popen(
            self.viewed(hub), env=env, cwd=self.root, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._wait()

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    def home(self, user: str) -> Path:
        return self.root / "home" / user

    def viewed(self, command: Sequence[str]) -> list[str]:
        """The command line, in the private view where there is one."""
        if not self.separate:
            return list(command)
        view = ["unshare", "--mount", "--propagation", "private", "sh", str(self.root / "view.sh"), str(self.root)]
        return [*view, *command]

    def stop_server(self, user: str) -> None:
        """End a user's server, as a culler of idle ones does, and wait until it is gone."""
        self._request("DELETE", f"/hub/api/users/{user}/server")
        end = time.monotonic() + 60
        while json.loads(self._request("GET", f"/hub/api/users/{user}")).get("server"):
            assert time.monotonic() < end, f"the server of {user} did not end; see {self._log.name}"
            time.sleep(0.2)

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------ inside

    def _folders(self) -> None:
        for name in ("home", "data", "shared", "stash"):
            (self.root / name).mkdir()
        (self.root / "stash").chmod(0o700)
        for user in USERS:
            self.home(user).mkdir(mode=0o700)
        if not self.separate:
            return
        (self.root / "shared").chmod(0o2770)
        os.chown(self.root / "shared", 0, GROUP)
        people = [Path("/etc/passwd").read_text()]
        groups = [Path("/etc/group").read_text(), f"imaging:x:{GROUP}:{','.join(USERS)}\n"]
        for user, number in USERS.items():
            os.chown(self.home(user), number, number)
            people.append(f"{user}:x:{number}:{number}::{self.home(user)}:/bin/sh\n")
            groups.append(f"{user}:x:{number}:\n")
        (self.root / "passwd").write_text("".join(people))
        (self.root / "group").write_text("".join(groups))
        (self.root / "view.sh").write_text(_VIEW)
        (self.root / "open.sh").write_text(_opened(_needed(), self.root / "stash"))

    def _wait(self, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                self._request("GET", "/hub/health")
                return
            time.sleep(0.2)
        raise RuntimeError(f"the hub did not start:\n{self.log()[-4000:]}")

    def _request(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(
            f"{self.url}{path}", method=method, headers={"Authorization": f"token {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bytes(answer.read())


def _needed() -> list[Path]:
    """What a server of a user reads of this machine beside the system: Python, the installation, the sources."""
    paths = [Path(sys.base_prefix), Path(sys.prefix), RECIPE.parents[2]]
    return [*paths, *(path.resolve() for path in paths)]


def _opened(needed: Sequence[Path], stash: Path) -> str:
    """Shell lines that put the needed folders where others than root can walk to them."""
    lines, tops = [], {}
    for path in dict.fromkeys(needed):
        closed = [one for one in reversed(path.parents) if not one.stat().st_mode & 0o001]
        if closed:
            tops.setdefault(closed[0], []).append(path)
    for number, (top, paths) in enumerate(tops.items()):
        kept = stash / str(number)
        kept.mkdir()
        lines += [f"mount --bind '{top}' '{kept}'", f"mount -t tmpfs -o mode=755 tmpfs '{top}'"]
        for path in paths:
            lines += [f"mkdir -p '{path}'", f"mount --bind '{kept / path.relative_to(top)}' '{path}'"]
    return "\n".join(lines) + "\n"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
