"""A run that was paused or killed and goes on has bit for bit the weights of one that was not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.learner import train
from voxloop.deep.training import checkpoint
from voxloop.errors import ModelError
from voxloop.model import load_model
from voxloop.runs.history import History, fold


def settings(context: Any, **changes: Any) -> dict[str, Any]:
    config = DeepConfig.from_json(context.settings)
    usual = {"epochs": 3, "augmentation": Augmentation().model_dump(), "samples": 0, "teacher": "none"}
    return config.changed(**{**usual, **changes}).to_json()


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return {
        **load_file(run / "checkpoints" / "last" / "state.safetensors"),
        **load_file(run / "model" / "weights.safetensors"),
    }


def assert_same(one: Path, other: Path) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def unbroken(context: Any, name: str = "unbroken") -> Path:
    """The same run, never interrupted."""
    run = context.path.parent / name
    run.mkdir()
    train(type(context)(path=run, config=context.config, workspace=context.workspace))
    return run


def test_pause_and_resume_change_nothing(context: Any) -> None:
    context.config["settings"] = settings(context, teacher="auto")
    whole = unbroken(context)
    for at in (3, 8):
        run = context.path.with_name(f"paused-{at}")
        run.mkdir()
        first, again = (type(context)(path=run, config=context.config, workspace=context.workspace) for _ in range(2))
        first.at_step[at] = SimpleNamespace(kind="pause", name="p", values={})
        assert train(first) == "paused"
        assert train(again) == "finished"
        assert again.of("resumed")[0]["step"] == at - 1
        assert again.of("step")[0]["iteration"] == at
        assert_same(run, whole)
        assert len(first.of("step")) + len(again.of("step")) == 15


def die(context: Any, at: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the process of a run die before a step; a context for the one that goes on."""
    orders = type(context).orders

    def killed(self: Any) -> list[Any]:
        if self is context and self.asked == at - 1:
            raise KeyboardInterrupt
        return orders(self)

    monkeypatch.setattr(type(context), "orders", killed)
    with pytest.raises(KeyboardInterrupt):
        train(context)
    return type(context)(path=context.path, config=context.config, workspace=context.workspace)


def test_settings_changed_while_running_outlive_a_crash(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"schedule": "constant", "warmup_steps": 0, "checkpoint_minutes": 1000}
    context.config["settings"] = settings(context, **plain)
    context.at_step[3] = SimpleNamespace(kind="update", name="u", values={"learning_rate": 1e-4, "epochs": 1})
    again = die(context, 4, monkeypatch)
    assert train(again) == "finished"
    assert [event["lr"] for event in again.of("step")] == [1e-4] * 3
    assert again.of("step")[-1]["iteration"] == 5


def test_who_was_ended_for_lack_of_memory_goes_on_with_half_the_batch(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.config["settings"] = settings(context, batch_size=4, epochs=1)
    again = die(context, 4, monkeypatch)
    started = {"kind": "started", "host": socket.gethostname(), "device": "cpu", "memory_kills": 3}
    monkeypatch.setattr("voxloop.deep.training.shortage.memory_kills", lambda: 4)
    for smaller in ("batch_size 2 and accumulation 2", "batch_size 1 and accumulation 4", "a single window already"):
        again.history = fold(History(), [started])
        again.at_step = {1: SimpleNamespace(kind="pause", name="p", values={})}
        again.asked = 0
        assert train(again) == "paused"
        assert smaller in again.of("warning")[-1]["text"]
    again.history = fold(History(), [started, {"kind": "paused"}])
    assert train(again) == "finished"
    assert [event["iteration"] for event in again.of("step")][-1] == 5
    state = checkpoint.load(again.path / "checkpoints" / "last")[1]["state"]
    assert (state["batch"], state["accumulation"]) == (1, 4)
    assert [event["kind"] for event in again.events if event["kind"] == "warning"] == ["warning"] * 3


def test_checkpoints_kept_for_good_are_models_and_a_run_goes_on_from_them(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.config["settings"] = settings(context, keep_every=1, checkpoint_minutes=1000)
    again = die(context, 8, monkeypatch)
    kept = context.path / "checkpoints" / "epoch-00001"
    assert load_model(kept).spec.learner == "deep"
    assert train(again) == "finished"
    assert again.of("resumed")[0]["step"] == 5
    assert_same(context.path, unbroken(context))
    for name in (str(kept), "deep-1/checkpoints/epoch-00001"):
        child = type(context)(path=context.path.parent / "child", config=context.config, workspace=context.workspace)
        child.path.mkdir(exist_ok=True)
        child.config = {**context.config, "settings": settings(context, start_from=name, iterations=2)}
        assert train(child) == "finished"
        assert any("starts from" in event["text"] for event in child.of("log"))
        shutil.rmtree(child.path)


VARIANTS = [
    {"schedule": "plateau", "freeze_encoder_epochs": 2, "encoder_weights": "encoder", "average_weights": 0.0},
    {"schedule": "one-cycle", "lovasz": 0.5, "boundary_weight": 5.0, "ignore_border": 4, "class_weights": "disc=3"},
    {"schedule": "step", "step_epochs": 1, "iterations": 13, "accumulation": 2, "optimiser": "Adafactor"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v["schedule"])
def test_every_variant_resumes_exactly(context: Any, variant: dict[str, Any], tmp_path: Path) -> None:
    if "encoder_weights" in variant:
        variant = {**variant, "encoder_weights": str(encoder(tmp_path))}
    context.config["settings"] = settings(context, plateau_patience=1, **variant)
    context.at_step[8] = SimpleNamespace(kind="pause", name="p", values={})
    assert train(context) == "paused"
    again = type(context)(path=context.path, config=context.config, workspace=context.workspace)
    assert train(again) == "finished"
    assert_same(context.path, unbroken(context))


def encoder(folder: Path) -> Path:
    """A file with an encoder's weights."""
    from safetensors.torch import save_file

    from voxloop.deep.networks.network import NetworkConfig, build

    network = build(NetworkConfig(architecture="Unet", encoder="tu-test_efficientnet", channels=1, outputs=2))
    save_file(dict(network.core.encoder.state_dict()), folder / "encoder.safetensors")
    return folder / "encoder.safetensors"


@pytest.mark.slow(reason="four processes that import torch and train")
def test_killed_and_resumed_run_equals_an_unbroken_one(context: Any) -> None:
    """kill -9 in the middle of a step, a checkpoint every few steps; threads that cut windows change nothing."""
    context.config["settings"] = settings(context, workers=1, teacher="auto")
    whole = unbroken(context)
    for workers in (0, 2):
        name = f"killed-{workers}"
        killed = context.path.with_name(name)
        killed.mkdir()
        config = {"v": 1, "name": name, "task": "voxloop.deep.learner:train", "workspace": "../..", "device": "cpu"}
        chosen = settings(context, workers=workers, teacher="auto", checkpoint_minutes=0.001)
        (killed / "config.json").write_text(json.dumps({**config, **context.config, "settings": chosen}))
        process = start(killed)
        try:
            wait_for_step(killed, 6, process)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert '"finished"' not in (killed / "events.jsonl").read_text()
        process = start(killed)
        try:
            assert process.wait(timeout=120) == 0, (killed / "stdout.log").read_text()[-2000:]
        finally:
            process.kill()
        assert '"resumed"' in (killed / "events.jsonl").read_text()
        assert_same(killed, whole)


def start(run: Path) -> subprocess.Popen[bytes]:
    with (run / "stdout.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "voxloop.runs", str(run)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "VOXLOOP_QUEUE": str(run.parent / "queue")},
        )


def wait_for_step(run: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        log = run / "events.jsonl"
        if log.exists() and f'"iteration": {step},' in log.read_text():
            return
        assert process.poll() is None, (run / "stdout.log").read_text()[-2000:]
        time.sleep(0.02)
    raise AssertionError("the run made no step")


def test_checkpoint_is_whole_or_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "last"
    checkpoint.save(folder, {"a": torch.ones(3)}, {"step": 1})
    checkpoint.save(folder, {"a": torch.zeros(3)}, {"step": 2})
    assert checkpoint.load(folder)[1]["step"] == 2
    assert [p.name for p in folder.parent.iterdir()] == ["last"]
    folder.rename(folder.with_name(".last.old"))  # died between the two renames
    found = checkpoint.find(folder.parent, "last")
    assert found is not None
    assert checkpoint.load(found)[1]["step"] == 2


def test_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "last"
    checkpoint.save(folder, {"a": torch.ones(300)}, {"step": 1})
    file = folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        checkpoint.load(folder)
