"""On real data, what a few strokes are worth."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from voxloop.config import ShallowConfig
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.simulate import simulate
from voxloop.shallow.fitting import fit_examples
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example
from voxloop.store import Store
from voxloop.volumes import open_volume

SLICES = (3, 9, 16, 22, 28)
SPACING = (0.005, 0.005, 0.005)


@pytest.mark.slow(reason="features through a stack of 8 million voxels")
def test_strokes_on_five_slices_find_mitochondria_on_the_others(data, tmp_path):
    folder = data / "fibsem_mitochondria"
    raw, truth = tifffile.imread(folder / "raw.tif"), tifffile.imread(folder / "mitochondria.tif") > 0
    volume = open_volume(folder / "raw.tif", spacing=SPACING)
    with Store.create(tmp_path / "ws", image=volume, classes=["mitochondria", "background"]) as store:
        simulate(store, np.where(truth, 1, 2), slices=SLICES, strokes=40, share=0.05)
        labels = store.labels()
        painted = labels.read()
        classes = tuple(ClassInfo(value=c.value, name=c.name, background=c.background) for c in labels.level.classes)
    assert 0 < (painted[list(SLICES)] > 0).mean() <= 0.05
    example = Example(
        name="fibsem",
        read=lambda box: raw[box.slices][None],
        shape=raw.shape,
        channels=1,
        spacing_um=SPACING,
        labelled=in_block(painted, Box.whole(raw.shape)),
    )
    model = fit_examples(ShallowConfig(), [example], classes, threads=2).model
    far = [z for z in range(len(truth)) if min(abs(z - s) for s in SLICES) >= 2]
    found = model.predict(raw[None])[:, far].argmax(axis=0) == 0
    iou = (found & truth[far]).sum() / (found | truth[far]).sum()
    print(f"IoU {iou:.3f}")
    assert iou >= 0.45
