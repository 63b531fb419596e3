"""A process that waits for a training has imported what the training needs."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

import voxloop as vl
from voxloop.deep import learner
from voxloop.runs import tasks
from voxloop.store.teaching import freeze

RUN = """
    import json, sys
    import voxloop.runs
    __spec__ = voxloop.runs.__spec__  # as python -m voxloop.runs has it
    from voxloop.runs import runner, tasks
    tasks.warm("voxloop.deep.learner:train")
    def packages():
        return {name.partition(".")[0] for name in sys.modules}
    before = packages()
    code = runner.main([sys.argv[1], "--no-queue"])
    found = [code, sorted(packages() - before - sys.stdlib_module_names), "torch._dynamo.eval_frame" in sys.modules]
    import torch._dynamo.config, torch._dynamo.utils
    import torch
    ready = torch._dynamo.config is sys.modules["torch._dynamo.config"] and torch._dynamo.utils.__file__
    step = torch.compile(lambda weight: torch.optim.SGD([weight], lr=1.0).step(), backend="eager")
    step(torch.nn.Parameter(torch.ones(2)))
    print(json.dumps([*found, bool(ready)]))
"""


@pytest.mark.slow(reason="a process of its own imports torch and trains")
def test_a_training_imports_no_further_package_and_the_compiler_once_it_compiles(tmp_path):
    sample = vl.samples.load("em")
    with vl.Workspace.create(tmp_path / "ws", image=sample.volume, classes=sample.classes) as ws:
        vl.simulate(ws, sample.truth, strokes=12)
        config = vl.presets["auto"].changed(window="1,64,64", epochs=1, steps_per_epoch=2)
        facts = freeze(ws.store, config)
        run = ws.runs.create("deep-1", "voxloop.deep.learner:train", config.changed(level=facts["level"]), **facts)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(RUN), str(run.path)], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout.splitlines()[-1]) == [0, [], False, True]


def test_the_learner_says_how_it_warms():
    assert sys.modules[tasks.load("voxloop.deep.learner:train").__module__].warm is learner.warm


def test_a_script_of_somebody_has_torch_as_it_is():
    assert "voxloop.deep.networks" in sys.modules
    assert not any(type(finder).__module__.startswith("voxloop") for finder in sys.meta_path)
