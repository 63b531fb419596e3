"""A bioimage.io package made a model of the workspace, in a process of its own, so that the kernel opens no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxloop.errors import ModelError
from voxloop.runs.errand import Errand, serve

#: a large package that is read from a slow disk may take this long
PATIENCE_S = 300.0


class PackageImport:
    """An import under way: :meth:`wait` for it from a thread, :meth:`cancel` it from another.

    ``image``: a name, of the picture that packages measure which know no intensities.
    """

    def __init__(self, workspace: Path, source: Path, folder: Path, image: str) -> None:
        question = {"workspace": workspace, "source": source, "folder": folder, "image": image}
        self._errand = Errand(
            "voxloop.panels.predict.package_import", {name: str(value) for name, value in question.items()}
        )

    def wait(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """``title``, ``classes``, and what was ``measured`` in words. Raises ModelError with the reason."""
        return self._errand.wait(
            timeout,
            ModelError,
            f"the package was not read within {timeout:.0f} s; the import is given up",
            "the package could not be imported",
        )

    def cancel(self) -> None:
        """End it; :meth:`wait` raises. A model folder appears whole or not at all. Safe to call at any time."""
        self._errand.cancel()


def run_import(question: dict[str, str]) -> dict[str, Any]:
    """Import, in this process; what :class:`PackageImport` asks for."""
    from voxloop.deep.exchange.package import import_package
    from voxloop.store import Store

    with Store.open(question["workspace"], read_only=True) as store:
        model = import_package(question["source"], question["folder"], image=store.images.open(question["image"]))
    spec = model.spec
    return {
        "title": spec.extra.get("title", ""),
        "classes": [info.name for info in spec.classes],
        "measured": spec.extra.get("measured", ""),
    }


if __name__ == "__main__":
    serve(run_import)
