"""Orders to a run from the command line: what the methods of a run do, with its state as the answer."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from tests.prediction.fakes import make_spec
from tests.prediction.test_task import _until, expected

from voxloop.cli import main


def call(*args):
    done = CliRunner().invoke(main, [str(a) for a in args])
    return done.exit_code, done.stdout, done.stderr


def begun(bench, name):
    """A run at work, with some tiles done and many not."""
    run = bench.create(name, spec=make_spec(delay=0.2)).launch()
    _until(lambda: any(event["done"] >= 1 for event in bench.events(run, "progress")))
    return run


def test_pause_and_resume(bench):
    run = begun(bench, "p")
    code, out, error = call("pause", bench.path, "p", "--json")
    assert (code, json.loads(out)["state"]) == (0, "paused"), error
    assert 0 < run.open_result().done < 1
    code, out, progress = call("resume", bench.path, "p")
    assert (code, out) == (0, "p: finished\n")
    assert all(line.startswith("p: ") and line.endswith("%") for line in progress.splitlines())
    assert np.array_equal(run.result.labels.values, expected(bench, make_spec(delay=0.2)).labels)
    code, out, error = call("resume", bench.path, "p")
    assert (code, out) == (2, "")
    assert "run 'p' is finished" in error


@pytest.mark.parametrize(("verb", "state", "kept"), [("stop", "stopped", True), ("cancel", "cancelled", False)])
def test_stop_and_cancel(bench, verb, state, kept):
    run = begun(bench, "p")
    code, out, error = call(verb, bench.path, "p", "--json")
    assert (code, json.loads(out)["state"]) == (0, state), error
    assert (bench.path / "predictions" / "p.zarr").exists() is kept
    assert run.state == state


def test_an_order_may_be_given_without_waiting(bench):
    run = begun(bench, "p")
    code, out, _ = call("pause", bench.path, "p", "--detach")
    assert code == 0
    assert out in ("p: stopping\n", "p: paused\n")
    assert run.wait(60) == "paused"


@pytest.mark.parametrize("verb", ["resume", "pause", "stop", "cancel"])
def test_bad_input_is_one_line(bench, verb):
    bench.create("p")
    code, out, error = call(verb, bench.path, "q")
    assert (code, out) == (2, "")
    assert "unknown run 'q'; there are 'p'" in error
    assert len(error.splitlines()) == 1
