"""Start JupyterLab as a newcomer needs it: a free port, as root too, the address printed. Knows nothing of volumes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from voxloop.errors import VoxloopError
from voxloop.runs.process import environment, python


def serve(notebook: Path | None, *, port: int | None = None, browser: bool = True) -> int:
    """Run JupyterLab until it is stopped; its exit code. Raises VoxloopError where it cannot be started."""
    if sys.platform == "win32":
        raise VoxloopError("voxloop runs on Linux and macOS; on Windows use WSL2")
    if shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)) is None and not _importable("jupyterlab"):
        raise VoxloopError("JupyterLab is not installed; install it with: pip install 'voxloop[lab]'")
    if notebook is not None and not notebook.exists():
        raise VoxloopError(f"there is no notebook {notebook}")
    return subprocess.call(command(notebook, port or free_port(), browser and has_display()), env=environment())


def command(notebook: Path | None, port: int, browser: bool) -> list[str]:
    """The command line of the server."""
    root = notebook.resolve().parent if notebook else Path.cwd()
    line = python("-m", "jupyterlab", f"--ServerApp.root_dir={root}", f"--ServerApp.port={port}")
    line += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if notebook:
        line.append(f"--LabApp.default_url=/lab/tree/{notebook.name}")
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")
    return line


def free_port(first: int = 8888) -> int:
    """The first free port of this machine from ``first`` on."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise VoxloopError(f"no free port between {first} and {first + 199}; name one with --port")


def has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
