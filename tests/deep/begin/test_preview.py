"""What is shown before training is what a training would get, and costs it nothing."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.begin import preview
from voxloop.deep.begin.material import gather_now, label_state
from voxloop.deep.begin.rate_finder import find_rate, suggest
from voxloop.errors import ConfigError, LabelError, VolumeError
from voxloop.helper.handlers import Job, handler


def job(workspace: Path, state: dict[str, Any] | None = None, **fields: Any) -> Job:
    return Job(workspace, fields, {} if state is None else state, stale=lambda: False, tell=lambda _: None)


def test_shown_inputs_are_those_of_a_run(workspace: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep import learner
    from voxloop.deep.objective.loss import PartialLoss

    seen = []
    original = PartialLoss.loss_and_scored

    def watched(self: Any, logits: torch.Tensor, labels: torch.Tensor, made: Any = None) -> tuple[torch.Tensor, ...]:
        seen.append(labels.clone())
        return original(self, logits, labels, made)

    monkeypatch.setattr(PartialLoss, "loss_and_scored", watched)
    config = DeepConfig.from_json(context.settings).changed(
        epochs=1,
        steps_per_epoch=3,
        validation_share=0,
        augmentation=Augmentation().model_dump(),
        scale=0.5,
        teacher="none",
    )
    context.config["settings"] = config.to_json()
    learner.train(context)
    for step in range(3):
        found = preview.training_inputs(workspace[0], config, batch=step)
        assert np.array_equal(found.labels, seen[step].numpy())
        assert found.pixels.shape == (2, 1, 64, 64)
        assert found.counts["disc"] == int((found.labels == 2).sum())


def test_helper_answers_with_a_sheet_and_its_next_batch(workspace: Any, tiny: DeepConfig) -> None:
    state: dict[str, Any] = {}
    answers = [handler("inputs")(job(workspace[0], state, config=tiny.to_json(), batch=batch)) for batch in (0, 1)]
    sheets = [iio.imread(io.BytesIO(base64.b64decode(answer["png"]))) for answer in answers]
    assert sheets[0].shape == (2 * 64 + 4, 2 * 64 + 4, 3)
    assert not np.array_equal(*sheets)
    assert (sheets[0][68:] != sheets[0][:64]).any(), "targets are drawn over the lower row"
    assert answers[1]["batch"] == 1
    json.dumps(answers)


def test_labels_that_came_later_are_seen(workspace: Any, tiny: DeepConfig) -> None:
    from voxloop.store import Store

    state: dict[str, Any] = {}
    before = handler("inputs")(job(workspace[0], state, config=tiny.to_json()))
    with Store.open(workspace[0]) as store:
        store.labels().write(None, np.full(store.labels().shape, 3, np.uint8))
        store.labels().paint(axis="z", index=0, points=[(20, 20), (90, 90)], radius=9, value=1)
    assert handler("inputs")(job(workspace[0], state, config=tiny.to_json()))["counts"] != before["counts"]


def test_field_is_told_in_the_image_whatever_the_scale(workspace: Any, tiny: DeepConfig) -> None:
    tiny = tiny.changed(encoder="tu-test_resnet")  # without gates that pool, so that there is a limit
    full = preview.field_of_view(workspace[0], tiny)
    half = preview.field_of_view(workspace[0], tiny.changed(scale=0.5, window="1,64,64"), at=(1, 60, 90))
    assert full.theoretical is not None
    assert half.theoretical == pytest.approx(tuple(2 * side for side in full.theoretical), abs=2)
    assert 1 <= full.effective[0] <= full.theoretical[0]
    assert full.effective_um == pytest.approx(tuple(0.01 * side for side in full.effective))
    assert (full.window, half.window) == ((64, 64), (128, 128))
    assert half.at == (1, 60, 90)


def test_field_of_a_known_network_is_its_kernel(workspace: Any, tiny: DeepConfig, monkeypatch: Any) -> None:
    """One convolution of 9 x 9 with equal weights sees 9 voxels, 90 % of them within about 9."""
    from voxloop.deep.begin.material import Material

    net = torch.nn.Conv2d(1, 2, 9, padding=4)
    torch.nn.init.constant_(net.weight[0:1], 1.0)
    torch.nn.init.constant_(net.weight[1:2], -1.0)
    monkeypatch.setattr(Material, "network", lambda self: net)
    found = preview.field_of_view(workspace[0], tiny)
    assert found.theoretical == (9, 9)
    assert found.effective[0] in (7, 9, 11)  # the middle three outputs together


def test_helper_tells_the_field_and_keeps_the_network(workspace: Any, tiny: DeepConfig, monkeypatch: Any) -> None:
    state: dict[str, Any] = {}
    ask = handler("receptive_field")
    first = ask(job(workspace[0], state, config=tiny.to_json(), image="image", at=[0, 80, 80]))
    monkeypatch.setattr(preview, "field_of", None)  # not called again
    second = ask(job(workspace[0], state, config=tiny.to_json(), image="image", at=[3, 40, 110]))
    assert second["at"] == [3, 40, 110]
    assert second["theoretical"] == first["theoretical"]
    json.dumps(second)


def test_a_field_outside_the_image_is_refused(workspace: Any, tiny: DeepConfig) -> None:
    with pytest.raises(VolumeError, match="choose one inside"):
        preview.field_of_view(workspace[0], tiny, at=(99, 0, 0))
    with pytest.raises(VolumeError, match="those that have are image"):
        preview.field_of_view(workspace[0], tiny, image="other")


def test_nothing_labelled_is_said(tmp_path: Path) -> None:
    from voxloop.store import Store

    with Store.create(tmp_path / "ws", image=np.zeros((2, 64, 64), np.uint8), classes=["a", "b"]) as store:
        path = store.path
    with pytest.raises(LabelError, match="nothing is labelled"):
        label_state(path, DeepConfig())


def test_rate_finder_finds_a_rate_that_learns(workspace: Any, tiny: DeepConfig) -> None:
    curve = find_rate(workspace[0], tiny, steps=40)
    assert 1e-5 < curve.suggestion < 0.3
    assert len(curve.rates) == len(curve.losses) <= 40
    assert (np.diff(np.log(curve.rates)) > 0).all()
    again = handler("rate")(job(workspace[0], config=tiny.to_json(), steps=40))
    assert again["suggestion"] == curve.suggestion
    with pytest.raises(ConfigError, match="at least 10"):
        find_rate(workspace[0], tiny, steps=3)


def test_suggestion_lies_below_where_the_loss_explodes() -> None:
    rates = np.geomspace(1e-6, 1, 50)
    losses = 1 - 0.8 / (1 + (3e-3 / rates) ** 2) + (rates / 0.1) ** 2
    found = suggest(rates.tolist(), losses.tolist())
    assert 1e-5 < found < rates[losses.argmin()]
    with pytest.raises(ConfigError, match="falls at no"):
        suggest(rates.tolist(), np.linspace(1, 2, 50).tolist())


def test_gathering_writes_nothing(workspace: Any, tiny: DeepConfig) -> None:
    before = sorted(workspace[0].rglob("*"))
    gather_now(workspace[0], tiny)
    assert sorted(workspace[0].rglob("*")) == before
