"""What the layers promise: importing is cheap, panels are light, modules stay small, nobody imports the root."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "voxloop"
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("torch", "sklearn", "skimage", "zarr", "ipywidgets", "dask", "xarray")


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import voxloop") & set(HEAVY)


def test_importing_the_package_reads_few_modules():
    # a stand-in for "< 0.5 s" that does not depend on the machine: the standard library and lazy_loader, little else
    assert len(loaded_after("import voxloop") - loaded_after("import importlib.metadata, ast")) < 120


@pytest.mark.parametrize("verb", ["Workspace", "DeepConfig", "presets", "load_model", "Workbench"])
def test_public_names_import_neither_torch_nor_sklearn(verb):
    assert not loaded_after(f"import voxloop; voxloop.{verb}") & {"torch", "sklearn", "monai"}


@pytest.mark.parametrize("module", ["voxloop", "voxloop.inspect", "voxloop.bioimageio", "voxloop.objects"])
def test_every_public_name_resolves(module):
    loaded_after(f"import {module} as module\nfor name in module.__all__: getattr(module, name)")


@pytest.mark.parametrize("module", ["inspect", "bioimageio", "objects"])
def test_modules_of_public_names_load_nothing_heavy(module):
    assert not loaded_after(f"import voxloop as vl; dir(vl.{module})") & set(HEAVY)


@pytest.mark.parametrize("module", ["inspect", "bioimageio"])
def test_names_that_load_on_first_use_are_those_of_the_stub(module):
    stub = ast.parse((SOURCE / f"{module}.pyi").read_text())
    names = {alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(importlib.import_module(f"voxloop.{module}").__all__) == names


def test_imports_point_down():
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "split it: a module has one noun"
    tree = ast.parse(text)
    if tree.body:
        assert ast.get_docstring(tree), "the first line says what the module is"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names if alias.name.split(".")[0] == "voxloop"]
            assert not named, "from voxloop.room import name; never the package"


def test_a_public_class_name_means_one_thing():
    where: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(str(path.relative_to(SOURCE)))
    shared = {name: paths for name, paths in where.items() if len(paths) > 1}
    assert not shared


def test_the_page_for_newcomers_names_files_that_are_there():
    root = SOURCE.parents[1]
    text = (root / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w./-]+\.(?:py|js)|(?:[\w-]+/)+)(?::[^`]+)?`", text))
    written_at_run_time = {"control/"}
    missing = [
        name
        for name in sorted(named - written_at_run_time)
        if not any((place / name).exists() for place in (root, SOURCE))
    ]
    assert len(named) > 40
    assert not missing
