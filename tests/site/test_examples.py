"""The examples in docstrings are real: each runs as it stands, and every public name has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sources
from tests.site import examples
from tests.site.examples import Example

from voxloop.errors import PredictionError
from voxloop.panels.base.ui import UiLoop
from voxloop.runs import Run, runner

ALL = examples.examples()


def not_measured(*asked: object) -> None:
    """In the place of a process that measures a model."""
    raise PredictionError("nothing is measured while examples are run")


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> Iterator[None]:
    """Runs do their work here instead of in a process of their own, and panels theirs without a page."""
    with pytest.MonkeyPatch.context() as patch, UiLoop.using(UiLoop(synchronous=True)):
        patch.setattr(Run, "launch", lambda run, queue=True: runner.run(run.path, queue=False) and run)
        patch.setattr("voxloop.runs.spare.warm", lambda task: True)
        patch.setattr("voxloop.panels.predict.prediction_forecast.Rehearsal", not_measured)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, in_this_process: None) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    examples.make(folder)
    return folder


@pytest.mark.parametrize("example", ALL, ids=lambda one: one.owner.removeprefix("voxloop."))
def test_an_example_does_what_it_shows(
    example: Example, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with examples.namespace(example, made, tmp_path) as names:
        said = examples.run(example, names)
    assert not said, said


def test_every_public_name_and_verb_has_an_example() -> None:
    shown = {one.owner for one in ALL}
    wanted = {f"vl.{name}": sources.defined_at(dotted) for name, dotted in sources.public_names().items()}
    wanted["vl.presets"] = "voxloop.config.presets.Presets"  # a value; its class says what can be done with it
    wanted["vl.samples"] = "voxloop.volumes.samples"
    wanted |= {f"ws.{verb}": dotted for verb, dotted in sources.verbs().items()}
    assert sorted(name for name, dotted in wanted.items() if dotted not in shown) == []


def test_few_examples_are_not_run_and_each_says_why() -> None:
    """A line of words stands above what is skipped."""
    skipped = {one: [part for part in one.doctest.examples if "+SKIP" in part.source] for one in ALL}
    skipped = {one: parts for one, parts in skipped.items() if parts}
    assert len(skipped) < examples.MOST_SKIPPED
    for one, parts in skipped.items():
        above = one.text.splitlines()[: parts[0].lineno]
        words = [line for line in above if line.strip() and not line.startswith((">>>", "..."))]
        assert words[-1].endswith(":"), one.owner
