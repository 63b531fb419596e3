"""What publishes the package, as far as it can be judged here: workflows, container files, the recipe for conda."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: names that conda-forge has otherwise
ON_CONDA = {"dask": "dask-core", "matplotlib": "matplotlib-base"}


def test_workflows_are_what_github_takes() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_workflows_make_can_be_made(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    jobs = yaml.safe_load(path.read_text())["jobs"]
    lines = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert set(re.findall(r"^make ([a-z-]+)", lines, flags=re.MULTILINE)) <= set(targets)
    assert all("timeout-minutes" in job for job in jobs.values())
    for job in jobs.values():  # no token is left in the folder that tests run in
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_container_files_say_what_linters_want_and_copy_what_there_is() -> None:
    files = sorted((ROOT / "deploy").glob("Dockerfile*"))
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([str(hadolint), *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    for path in files:
        for sources in re.findall(r"^COPY (.*) \S+$", path.read_text(), flags=re.MULTILINE):
            assert all((ROOT / name).exists() for name in sources.split()), path
        for extras in re.findall(r"^ARG EXTRAS=(\S+)$", path.read_text(), flags=re.MULTILINE):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_recipe_for_conda_asks_for_what_the_package_asks_for() -> None:
    recipe = yaml.safe_load((ROOT / "conda.recipe" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == PROJECT["version"]
    asked = {one.split()[0]: one for one in recipe["requirements"]["run"]}
    missing = []
    for line in PROJECT["dependencies"]:
        name, version = re.match(r"([\w-]+)(?:\[[^\]]*\])?\s*(>=[\d.]+)?", line).groups()
        name = ON_CONDA.get(name, name)
        if version and asked.get(name) != f"{name} {version}":
            missing.append(f"{line}: the recipe has {asked.get(name)!r}")
    assert not missing


@pytest.mark.parametrize("name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE"])
def test_who_comes_across_the_project_finds_what_it_asks_and_offers(name: str) -> None:
    assert len((ROOT / name).read_text()) > 300
