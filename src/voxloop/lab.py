"""Start JupyterLab as a newcomer needs it: a free port, as root too, the address printed. Knows nothing of volumes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxloop.errors import MissingPackageError, VoxloopError, unknown
from voxloop.runs.process import environment, python

#: the notebook that opens where none is named
START = "voxloop-start.ipynb"
#: what its first cell runs by itself; the page runs no other code unasked (labextensions/voxloop/static/remoteEntry.js)
CELL = "import voxloop as vl\n\nbench = vl.Workbench()\nbench"
_HINT = "# bench.ws is the workspace that is open above: bench.ws.runs, bench.ws.predictions, ..."


def serve(notebook: Path | None, *, port: int | None = None, browser: bool = True) -> int:
    """Run JupyterLab until it is stopped; its exit code. Raises VoxloopError where it cannot be started.

    Without a notebook a start notebook with an empty workbench opens in the current folder.
    """
    if sys.platform == "win32":
        raise VoxloopError("voxloop runs on Linux and macOS; on Windows use WSL2")
    if shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)) is None and not _importable("jupyterlab"):
        raise MissingPackageError("JupyterLab is not installed; install it with: pip install 'voxloop[lab]'")
    if notebook is not None and not notebook.exists():
        raise VoxloopError(f"there is no notebook {notebook}")
    if notebook is None:
        notebook = start_notebook(Path.cwd())
    return subprocess.call(command(notebook, port or free_port(), browser and has_display()), env=environment())


def tutorials() -> dict[str, Path]:
    """The notebooks that come along, by name: in the package, or beside it in a checkout."""
    here = Path(__file__).parent
    root = here if (here / "notebooks").is_dir() else here.parents[1]
    found = [path for part in ("notebooks/[0-9]*.ipynb", "workshop/*.ipynb") for path in sorted(root.glob(part))]
    return {path.stem: path for path in found}


def take_tutorial(name: str, folder: Path) -> Path:
    """Copy a notebook that comes along into a folder; one that is there already stays as it is.

    ``name``: its number, or all of its name. Raises VoxloopError where there is none such, or the folder cannot be
    written.
    """
    found = [path for stem, path in tutorials().items() if name in (stem, stem.partition("-")[0])]
    if not found:
        raise VoxloopError(unknown("tutorial", name, tutorials()))
    target = folder / found[0].name
    if not target.exists():
        try:
            shutil.copyfile(found[0], target)
        except OSError as error:
            raise VoxloopError(f"{target} cannot be written ({error.strerror}); choose another folder") from None
    return target


def start_notebook(folder: Path) -> Path | None:
    """Write the start notebook, trusted and not run yet; None where the folder cannot be written.

    One that is there keeps the cells that its user added.
    """
    import nbformat
    from nbformat.sign import NotebookNotary

    path = folder / START
    book = _fresh_book()
    if path.exists():
        try:
            kept = nbformat.read(path, as_version=4)
        except (OSError, ValueError):
            return path  # not ours to mend: JupyterLab says what is wrong with it
        if not kept.metadata.get("voxloop", {}).get("start"):
            return path
        book.cells = [book.cells[0], *kept.cells[1:]]
        book.metadata = kept.metadata
    try:
        nbformat.write(book, path)
    except OSError:
        return None
    notary = NotebookNotary()
    with suppress(OSError):  # a notebook without trust is opened all the same, and its cell run by hand
        Path(notary.data_dir).mkdir(parents=True, exist_ok=True)  # older nbformat expects that JupyterLab ran before
        notary.sign(book)
    return path


def _fresh_book() -> Any:
    """One cell whose code is folded away, so that the workbench has the page, and one to type in."""
    import nbformat

    first = nbformat.v4.new_code_cell(CELL, metadata={"jupyter": {"source_hidden": True}})
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    metadata = {"kernelspec": kernel, "voxloop": {"start": True}}
    return nbformat.v4.new_notebook(metadata=metadata, cells=[first, nbformat.v4.new_code_cell(_HINT)])


def command(notebook: Path | None, port: int, browser: bool) -> list[str]:
    """The command line of the server."""
    root = notebook.resolve().parent if notebook else Path.cwd()
    line = python("-m", "jupyterlab", f"--ServerApp.root_dir={root}", f"--ServerApp.port={port}")
    line += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    line.append(f"--LabApp.extra_labextensions_path={extensions()}")
    if notebook:
        line.append(f"--LabApp.default_url=/lab/tree/{notebook.name}")
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")
    return line


def extensions() -> Path:
    """The folder of what the page of JupyterLab loads from here, also where voxloop runs from a checkout."""
    return Path(__file__).parent / "labextensions"


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
