"""One JupyterLab, one Chromium and one page for all browser tests; a notebook with its own kernel for each."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.made_up import startup

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api")
pytest.importorskip("jupyterlab")


def _sibling(name: str) -> Any:
    """A helper module of this folder; the folder is no package and not on the path."""
    full = f"browser_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


lab_module = _sibling("lab")
#: what most notebooks import
IMPORTS = ("voxloop.panels.workbench", "dask.array", "zarr")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Without one: fails in CI, elsewhere a loud skip."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=lab_module.chromium(), args=lab_module.CHROMIUM_ARGS)
        except Error as error:
            words = (
                "no Chromium for the browser tests: install chromium, run `playwright install chromium`, "
                f"or name one in VOXLOOP_CHROMIUM ({str(error).splitlines()[0]})"
            )
            if os.environ.get("CI"):
                pytest.fail(words)
            warnings.warn(words, stacklevel=1)
            pytest.skip(words)
        yield found
        found.close()


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from voxloop.lab import extensions

    home = tmp_path_factory.mktemp("lab")
    server = lab_module.LabServer(home, IMPORTS, extensions())
    startup(home / "ipython", home / "samples")  # before the first kernel
    yield server
    server.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: VOXLOOP_SHOTS, or a folder of pytest's."""
    named = os.environ.get("VOXLOOP_SHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def pages(lab_server: Any, browser: Browser, shots: Path) -> Iterator[dict[str, Any]]:
    """The page that tests share, under "now"; loading JupyterLab takes longer than most tests."""
    kept: dict[str, Any] = {}
    yield kept
    for page in kept.values():
        page.close()


@pytest.fixture
def lab(
    lab_server: Any, browser: Browser, shots: Path, pages: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Any]:
    """A page; open a notebook in it with ``lab.notebook(cell, cell, ...)``. Console errors fail the test.

    A page in which something failed, or that was reloaded, is not used again.
    """
    page = pages.get("now") or lab_module.Lab(lab_server, browser, shots)
    pages["now"] = page
    failed = request.session.testsfailed
    yield page
    errors = list(page.errors)
    if errors or page.reloaded or request.session.testsfailed > failed:
        pages.pop("now").close()
    else:
        page.leave()
        page.theme("light")
    assert not errors, "errors on the page's console: " + "; ".join(dict.fromkeys(errors))
