"""``split="apart"``: what teaches does not see what judges, and the price is told beforehand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.forecast import forecast_of
from voxloop.deep.begin.material import Earlier, Material, gather
from voxloop.deep.begin.preflight import preflight
from voxloop.deep.data.training_data import assemble
from voxloop.deep.data.windows import area_mask, window_box
from voxloop.errors import LabelError
from voxloop.geometry import Box


def far_seeing(context: Any, tiny: DeepConfig, **changes: Any) -> Material:
    plain = {"encoder": "tu-test_resnet", "levels": 3, "augmentation": Augmentation.none().model_dump()}
    return gather(context, tiny.changed(**{**plain, "split": "apart", **changes}))


def seen_judges(material: Material) -> int:
    """Held-out labelled voxels on which the answer at any voxel that teaches depends, in some windows."""
    network, (image,) = material.network().eval(), material.data.images
    whole = Box.whole(image.shape)
    judges = image.split.validation_mask(whole) & (image.labels(whole) > 0)
    seen = np.zeros(image.shape, bool)
    for batch in range(6):
        raw, labels = material.raw(batch)
        pixels, _ = material.prepare(raw, labels)
        pixels.requires_grad_()
        taught = torch.from_numpy(labels > 0)[:, None]
        network(pixels).abs().masked_select(taught).sum().backward()
        for number in range(len(raw)):
            box = window_box(material.sampler.place_of(batch, number), material.geometry)
            seen[box.slices] |= (pixels.grad[number, 0] != 0).numpy()[None]
    return int((seen & judges).sum())


def test_no_voxel_that_judges_is_seen_from_one_that_teaches(context: Any, tiny: DeepConfig) -> None:
    apart = far_seeing(context, tiny)
    assert seen_judges(apart) == 0
    assert seen_judges(far_seeing(context, tiny, split="block")) > 0, "so the look finds them"
    shares, (image,) = apart.data.shares, apart.data.images
    assert shares.validation > 0.05
    assert shares.training > 0.2
    assert shares.ignored > 0.1
    (note,) = (note for note in preflight(apart) if note.fix == {"split": "block"})
    assert f"{shares.ignored:.0%} of the labels are left out" in note.words
    assert forecast_of(apart).labels == str(shares)
    # pseudo-labels keep away from there too, and a run that goes on has the same split
    place = apart.sampler.place_of(0, 0)
    mask = image.split.training_mask(window_box(place, apart.geometry), image.shape)[0]
    assert (area_mask(image, place, apart.geometry, apart=True) == mask).all()
    again = gather(context, apart.config, earlier=Earlier.from_json(apart.to_json()))
    assert again.data.images[0].split == image.split


@pytest.mark.parametrize("count", [1, 3])
def test_one_cut_meets_the_shares_and_costs_little(make: SimpleNamespace, count: int) -> None:
    sources = []
    for number in range(count):
        raw, truth = make.discs((12, 256, 256), seed=number)
        source = make.source(raw, make.scribbles(truth, every=1))
        sources.append(type(source)(name=f"i{number}", volume=source.volume, labels=source.labels))
    config, sight = DeepConfig(split="apart", test_share=0.1), (1, 40, 40)
    data = assemble(sources, make.classes, config, sight=sight)
    assert data.shares.validation == pytest.approx(0.15, abs=0.03)
    assert data.shares.test == pytest.approx(0.1, abs=0.03)
    assert data.shares.ignored < 0.25
    scattered = assemble(sources, make.classes, config.changed(split="block"))
    for image in scattered.images:
        assert image.split.grid.gap[1] < 40
    for image in data.images:
        whole = Box.whole(image.shape)
        held = np.argwhere(image.split.validation_mask(whole))
        teaches = np.argwhere(image.split.training_mask(whole, image.shape) & (image.labels(whole) > 0))[::50]
        for at in teaches if len(held) else ():
            assert (np.abs(held - at) > sight).any(axis=1).all()


def test_a_network_that_sees_everything_leaves_nothing_and_that_is_said(make: SimpleNamespace) -> None:
    raw, truth = make.discs((2, 96, 96))
    source = make.source(raw, make.scribbles(truth, every=1))
    with pytest.raises(LabelError, match=r"the 255 voxels that the network sees .* split='block'"):
        assemble([source], make.classes, DeepConfig(split="apart"), sight=(2, 255, 255))
