"""What a GPU would be waited for: looked at on a device that computes on the processor and notes it.

Run by ``test_gpu.py`` in a process of its own, since torch must know of the device before anything else is computed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.deep.fake_gpu import NAME, fake_gpu, watched

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.begin import preview
from voxloop.deep.learner import train
from voxloop.deep.training import batches
from voxloop.helper.handlers import Job
from voxloop.model import load_model
from voxloop.runs.orders import Order

#: where a GPU is waited for, as the code says: losses that are looked at ten times a second, checkpoints, what comes
#: before the first step, after an epoch and at the end of a run; and a thread that nobody waits for
STATED = ("flush", "_save", "__init__", "_begin_or_go_on", "_end_epoch", "_end", "_find_field")


@pytest.fixture
def settings(tiny: DeepConfig) -> DeepConfig:
    """Of a tiny training with changes of every kind that has no filter of the processor in it."""
    every = Augmentation()
    for name in ("motion_blur", "cutout", "elastic", "misaligned", "missing_parts", "cut_blur", "cut_noise", "blur"):
        kind = getattr(every, name)
        every = every.changed(**{name: kind.changed(on=True, probability=0.9)})
    return tiny.changed(teacher="none", device=NAME, workers=0, steps_per_epoch=3, augmentation=every)


def run(context: Any, settings: DeepConfig, name: str) -> Any:
    """The context of a further run on the same labels."""
    path = context.path.with_name(name)
    path.mkdir()
    return type(context)(path, {**context.config, "settings": settings.to_json()}, context.workspace)


def test_no_step_waits_and_numbers_are_those_of_the_processor(context: Any, settings: DeepConfig) -> None:
    settings = settings.changed(precision="float32", hard_examples=0.5, class_weights="auto", boundary_weight=1.0)
    plain = run(context, settings.changed(device="cpu"), "plain")
    assert train(plain) == "finished"
    first = run(context, settings, "fake")
    first.at_step = {5: Order(kind="pause", name="1-pause")}  # in the second epoch, whose windows were mined
    with fake_gpu() as record:
        assert train(first) == "paused"
        assert train(first) == "finished"
    assert record.beyond(*STATED) == []
    assert {wait.operator for wait in record.waits if wait.within("flush")} == {"copy from the device"}
    assert record.pinned == 2 * 6  # pixels and labels of every step
    assert record.copies >= record.pinned
    assert record.odd_layouts == []
    assert record.random_states.count(f"put back on {NAME}:0") == 1
    assert set(record.random_states) == {f"put back on {NAME}:0", f"saved of {NAME}:0"}
    losses = [[event["loss"] for event in one.of("step")] for one in (first, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert "float32 in full" in first.of("log")[0]["text"]


@pytest.mark.parametrize(("capability", "dtype"), [((8, 0), torch.bfloat16), ((7, 5), torch.float16)])
def test_a_gpu_computes_in_the_half_precision_that_it_has(
    context: Any, settings: DeepConfig, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    plain = Augmentation.none()  # some of it are convolutions in float32
    context.config["settings"] = settings.changed(epochs=1, validation_share=0.0, augmentation=plain).to_json()
    with fake_gpu(capability) as record:
        assert train(context) == "finished"
        predictor_waits = len(record.waits)
        with load_model(context.path / "model").open(device=NAME, precision="auto") as predictor:
            moved = len(record.waits)
            values = predictor.reduce(
                np.zeros((1, 1, 1, 64, 64), np.uint8), values=np.array([1, 3], np.uint8), measure="margin", keep=True
            )
    assert predictor_waits < moved
    assert record.formats == {dtype}
    assert record.beyond(*STATED, "open", "fill") == []
    saved = json.loads((context.path / "checkpoints" / "last" / "state.json").read_text())
    assert (saved["scaler"] is not None) == (dtype == torch.float16)  # gradients of float16 are scaled
    assert values[0][0].shape == (1, 64, 64)
    assert f"forward in {str(dtype).removeprefix('torch.')}, the rest of it in TF32" in context.of("log")[0]["text"]


def test_targets_of_objects_are_made_by_the_threads_that_cut_windows(
    tmp_path: Path, make: Any, context: Any, settings: DeepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy import ndimage

    from voxloop.store import Store

    raw, truth = make.discs((2, 96, 96))
    numbers = ndimage.label(truth)[0].astype(np.uint32) + 1
    background = [{"name": "background", "background": True}]
    with Store.create(tmp_path / "objects", image=make.volume(raw), classes=background, kind="instances") as store:
        labels, name = store.labels(), store.images.names[0]
        labels.write(None, numbers)
        labels.flush()
        facts = {f"{labels.level.name}/{name}": labels.sequence}
    path = tmp_path / "objects" / "runs" / "one"
    path.mkdir(parents=True)
    chosen = settings.changed(target="instances", workers=2, epochs=1, best_by="ap50")
    objects = type(context)(path, {"settings": chosen.to_json(), "labels": facts}, tmp_path / "objects")
    with fake_gpu() as record:
        original = batches.Prefetcher

        def seen(make_batch: Any, workers: int) -> Any:
            def inside(step: int) -> Any:
                with watched(record):
                    return make_batch(step)

            return original(inside, workers)

        monkeypatch.setattr(batches, "Prefetcher", seen)
        assert train(objects) == "finished"
    made = [wait for wait in record.beyond(*STATED) if wait.within("targets")]
    assert made
    assert all(wait.thread.startswith("windows") for wait in made)
    assert [wait for wait in record.beyond(*STATED, "targets") if wait.thread == "MainThread"] == []


def test_the_helper_gives_back_what_a_preview_took(workspace: Any, settings: DeepConfig) -> None:
    job = Job(workspace[0], {"config": settings.to_json()}, {}, stale=lambda: False, tell=lambda _: None)
    with fake_gpu() as record:
        assert preview.inputs(job)["windows"] == 2
        assert record.emptied == 1
        job.fields["image"] = "nobody's"
        with pytest.raises(Exception, match="has no labels"):
            preview.receptive_field(job)
    assert record.emptied == 2


def test_a_network_is_compiled_only_where_that_is_asked_for(
    context: Any, tiny: DeepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    assert not DeepConfig().compile_network
    chosen = tiny.changed(teacher="none", epochs=1, steps_per_epoch=1, validation_share=0.0, compile_network=True)
    assert train(run(context, chosen, "compiled")) == "finished"
    assert len(compiled) == 1
    assert load_file(context.path.with_name("compiled") / "model" / "weights.safetensors")


def test_blocks_have_their_channels_last_and_no_step_waits(context: Any, settings: DeepConfig) -> None:
    chosen = settings.changed(architecture="UNet3d", window="4,32,32", width=8, epochs=1, steps_per_epoch=2)
    context.config["settings"] = chosen.changed(validation_share=0.0).to_json()
    with fake_gpu() as record:
        assert train(context) == "finished"
    assert record.odd_layouts == []
    assert record.beyond(*STATED) == []
