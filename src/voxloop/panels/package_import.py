"""A bioimage.io package made a model of the workspace, in a process of its own, so that the kernel opens no network.

``python -m voxloop.panels.package_import`` reads what to do as JSON from its standard input and answers with one line.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from voxloop.errors import ModelError, VoxloopError

#: a large package that is read from a slow disk may take this long
PATIENCE_S = 300.0


class PackageImport:
    """An import under way: :meth:`wait` for it from a thread, :meth:`cancel` it from another.

    ``image``: a name, of the picture that packages measure which know no intensities.
    """

    def __init__(self, workspace: Path, source: Path, folder: Path, image: str) -> None:
        wanted = {"workspace": workspace, "source": source, "folder": folder, "image": image}
        self._question = json.dumps({name: str(value) for name, value in wanted.items()})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voxloop.panels.package_import"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """``title``, ``classes``, and what was ``measured`` in words. Raises ModelError with the reason."""
        try:
            answer, log = self._process.communicate(self._question, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise ModelError(f"the package was not read within {timeout:.0f} s; the import is given up") from None
        try:
            found: dict[str, Any] = json.loads(answer.strip().rpartition("\n")[2])
        except ValueError:
            last = log.strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"
            raise ModelError(f"the package could not be imported: {last}") from None
        if "error" in found:
            raise ModelError(found["error"])
        return found

    def cancel(self) -> None:
        """End it; :meth:`wait` raises. A model folder appears whole or not at all. Safe to call at any time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def imported(question: dict[str, str]) -> dict[str, Any]:
    """Import, in this process; what :class:`PackageImport` asks for."""
    from voxloop.deep.exchange import import_package
    from voxloop.store import Store

    with Store.open(question["workspace"], read_only=True) as store:
        model = import_package(question["source"], question["folder"], image=store.images.open(question["image"]))
    spec = model.spec
    return {
        "title": spec.extra.get("title", ""), "classes": [info.name for info in spec.classes],
        "measured": spec.extra.get("measured", ""),
    }  # fmt: skip


def main() -> None:
    try:
        found = imported(json.load(sys.stdin))
    except VoxloopError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
