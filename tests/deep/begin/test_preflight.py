"""What is said before training, and the setting that puts it right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.material import gather_now
from voxloop.deep.begin.preflight import preflight
from voxloop.errors import VolumeError
from voxloop.store import Store


def workspace(folder: Path, labels: np.ndarray) -> Path:
    raw = np.random.default_rng(0).integers(0, 255, labels.shape, np.uint8)
    with Store.create(folder / "ws", image=raw, classes=["rest", "thing", "unused"]) as store:
        store.labels().write(None, labels)
        return store.path


def notes(folder: Path, labels: np.ndarray, **settings: Any) -> dict[str, dict[str, Any]]:
    config = DeepConfig(**{"encoder": "tu-test_efficientnet", "window": "1,64,64", "scale": 1, **settings})
    return {note.words: note.fix for note in preflight(gather_now(workspace(folder, labels), config))}


def blocks() -> np.ndarray:
    labels = np.zeros((4, 128, 128), np.uint8)
    labels[:, 8:50, 8:120] = 1
    labels[:, 70:110, 8:120] = 2
    return labels


def said(found: dict[str, Any], words: str) -> Any:
    hits = [fix for text, fix in found.items() if words in text]
    assert len(hits) == 1, found
    return hits[0]


def test_of_good_labels_only_what_labels_lack_is_said(tmp_path: Path) -> None:
    found = notes(tmp_path, blocks())
    assert said(found, "'unused'") == {}
    assert not any(found.values())


def test_a_rare_class_is_weighted(tmp_path: Path) -> None:
    labels = blocks()
    labels[:, 78:] = 0
    labels[1:, 70:] = 0
    assert said(notes(tmp_path, labels, class_weights="none"), "times the labelled voxels") == {"class_weights": "auto"}
    weighted = notes(tmp_path / "weighted", labels, class_weights="auto")
    assert not any("times the labelled" in words for words in weighted)


def test_thin_labels_want_the_full_scale(tmp_path: Path) -> None:
    labels = blocks()
    labels[:, 70:] = 0
    labels[:, 72:120:12, 8:120] = 2
    labels[:, 73:120:12, 8:120] = 2
    found = notes(tmp_path, labels, scale=0.5)
    assert said(found, "Labels of 'thing' are only 0.5 voxels wide at input scale 0.5: thin things") == {"scale": 1.0}
    full = notes(tmp_path / "full", labels, scale=1)
    assert not any("wide" in words for words in full)  # lines are learnt


def test_thin_labels_want_a_network_that_decides_voxel_by_voxel(tmp_path: Path) -> None:
    labels = blocks()
    labels[:, 70:] = 0
    for row in range(72, 120, 12):
        labels[:, row : row + 3, 8:120] = 2
    coarse = notes(tmp_path, labels, architecture="FPN", encoder="resnet18")
    assert said(coarse, "are only 3 voxels wide: FPN decides by 4 x 4 voxels, Unet by each") == {"architecture": "Unet"}
    both = notes(tmp_path / "half", labels, architecture="FPN", encoder="resnet18", scale=0.5)
    assert said(both, "learnt best at full scale; FPN decides") == {"scale": 1.0, "architecture": "Unet"}
    labels[:, 8:50] = 0
    for row in range(8, 50, 12):
        labels[:, row : row + 2, 8:120] = 1
    one = notes(tmp_path / "one", labels, architecture="FPN", encoder="resnet18")
    assert said(one, "Labels of 'rest' and 'thing' are only 1 and 3 voxels wide: FPN") == {"architecture": "Unet"}


def test_specks_are_no_things(tmp_path: Path) -> None:
    labels = blocks()
    labels[:, 70:] = 0
    labels[:, 72:120:12, 8:120:9] = 2
    assert said(notes(tmp_path, labels, scale=1), "specks, 1 voxels wide: paint whole things") == {}
    assert said(notes(tmp_path / "half", labels, scale=0.5), "specks") == {"scale": 1.0}


def test_a_window_larger_than_the_image_and_labels_too_few_to_judge(tmp_path: Path) -> None:
    labels = np.zeros((1, 128, 128), np.uint8)
    labels[0, 10:14, 10:14], labels[0, 14:18, 10:14] = 1, 2
    found = notes(tmp_path, labels, window="1,256,256")
    assert said(found, "most of them is margin") == {"window": "auto"}
    assert any("flatters" in words for words in found)


def test_wrong_shapes_are_an_error(tmp_path: Path, sources: Any, make: Any) -> None:
    from dataclasses import replace

    from voxloop.deep.data.training_data import assemble

    wrong = replace(sources[0], labels=make.labels(np.zeros((2, 9, 9), np.uint8)))
    with pytest.raises(VolumeError, match="have shape"):
        assemble([wrong], make.classes, DeepConfig())


def test_weights_that_know_something_want_a_smaller_rate(tmp_path: Path) -> None:
    found = notes(tmp_path, blocks(), start_from="deep-1", learning_rate=2e-3)
    assert said(found, "know something already") == {"learning_rate": 2e-4}
    slow = notes(tmp_path / "slow", blocks(), start_from="deep-1", learning_rate=2e-4)
    assert not any("know something" in words for words in slow)
