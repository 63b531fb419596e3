"""Axons with their myelin: the g-ratio of rings that are known, and of a picture that was labelled by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from voxloop.errors import PredictionError
from voxloop.objects import measure_fibres
from voxloop.volumes import as_volume, samples
from voxloop.workspace.workspace import Workspace


def test_of_rings_that_are_known(tmp_path) -> None:
    y, x = np.indices((200, 300))
    labels = np.zeros((1, 200, 300), np.uint8)
    rings = [((60, 60), 20, 40), ((60, 142), 30, 40), ((150, 210), 12, 30)]  # the first two touch
    for (row, column), axon, fibre in rings:
        apart = np.hypot(y - row, x - column)
        labels[0][(apart <= fibre) & (labels[0] == 0)] = 3
        labels[0][apart <= axon] = 2
    with Workspace.create(
        tmp_path / "ws", image=np.zeros_like(labels), classes=["rest", "axon", "myelin"], spacing=(1, 0.1, 0.1)
    ) as ws:
        ws.labels().write(None, labels)
        table = ws.g_ratio("labels")
        assert table["g_ratio"].tolist() == pytest.approx([30 / 40, 20 / 40, 12 / 30], rel=0.03)  # from the top
        assert table["axon_um"].tolist() == pytest.approx([6, 4, 2.4], rel=0.02)
        assert table["myelin_um"].iloc[2] == pytest.approx(1.8, rel=0.03)
        assert len(ws.g_ratio("labels", min_axon_um2=10)) == 2
        for arguments, words in (
            ({"axon": "axons"}, "did you mean 'axon'"),
            ({"myelin": "axon"}, "the same class"),
            ({"source": "label"}, "unknown prediction or level"),
        ):
            with pytest.raises(PredictionError, match=words):
                ws.g_ratio(**{"source": "labels", **arguments})


def test_of_a_picture_labelled_by_hand_as_of_its_masks() -> None:
    try:
        sample = samples.load("axon_sem")
    except Exception:
        pytest.skip("the picture is not on this machine")
    truth = np.asarray(sample.truth)
    table = measure_fibres(as_volume(truth, spacing=(1, 0.1, 0.1), axes="zyx"), 2, 3, min_axon_um2=0.2)
    axons, count = ndi.label(truth[0] == 2, np.ones((3, 3)))
    nearest = ndi.distance_transform_edt(axons == 0, return_distances=False, return_indices=True)
    owner = np.where(truth[0] > 1, axons[tuple(nearest)], 0)
    inner, outer = (np.bincount(one.ravel(), minlength=count + 1)[1:] for one in (axons, owner))
    large = inner * 0.01 >= 0.2
    expected = np.sqrt(inner / outer)[large]
    assert np.mean(table["g_ratio"]) == pytest.approx(expected.mean(), rel=0.02)
    assert np.median(table["g_ratio"]) == pytest.approx(np.median(expected), rel=0.02)
