"""A trained network that is asked what it sees: a file of weights, the same at every tile, one candidate of a blend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from voxloop.config import ShallowConfig
from voxloop.deep.networks.frozen import open_encoder
from voxloop.errors import ConfigError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.shallow.fitting import fit_examples
from voxloop.shallow.gathering import BlockSource
from voxloop.shallow.samples import in_block
from voxloop.shallow.table import Example

NETWORK = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def encoder():
    return open_encoder(NETWORK, "imagenet")


def test_the_network_tells_strokes_and_the_model_stays_one_of_filters(encoder):
    rng = np.random.default_rng(0)
    _, y, x = np.indices((5, 96, 96))
    truth = np.where((y // 24 + x // 24) % 2, 1, 2).astype(np.uint8)
    image = (100 + 40 * (truth == 1) + rng.normal(0, 12, truth.shape)).astype(np.float32)
    labels = np.zeros_like(truth)
    labels[1::3, ::10] = truth[1::3, ::10]
    example = Example(
        name="image",
        read=lambda box: image[None][:, *box.slices],
        shape=image.shape,
        channels=1,
        spacing_um=(0.02, 0.01, 0.01),
        labelled=in_block(labels, Box.whole(labels.shape)),
    )
    classes = (ClassInfo(value=1, name="light"), ClassInfo(value=2, name="dark", background=True))
    config = ShallowConfig(samples=1000, passes=3, trees=8, scales=3, features="both", network_weights="imagenet")
    fitted = fit_examples(config, [example], classes, judge=True, encoder=encoder)
    assert {"perceptron on the network", "forest on the network"} < set(fitted.choice.scores)
    assert "the network" in fitted.choice.words
    assert fitted.choice.scores["forest on the network"] > 0.6
    with fitted.model.open() as predictor:  # it needs no network
        probabilities = predictor.region(image[None], Box.whole(image.shape))
    assert (probabilities.argmax(axis=0) + 1 == truth).mean() > 0.9
    # what was chosen, kept fixed, teaches the same
    again = fit_examples(fitted.choice.config, [example], classes, judge=True, encoder=encoder)
    np.testing.assert_array_equal(again.model.classifier.weights[0], fitted.model.classifier.weights[0])


def test_a_voxel_looks_the_same_beside_whichever_others_it_is_asked_about(encoder):
    plane = np.random.default_rng(1).normal(size=(1, 2, 210, 230)).astype(np.float32)
    source = BlockSource(lambda box: plane[:, *box.slices], plane.shape[1:])
    at = np.array([[0, 5, 7], [1, 200, 220], [0, 190, 195]])
    together = encoder.at(source, at)
    np.testing.assert_allclose(encoder.at(source, at[1:2])[0], together[1], rtol=1e-4, atol=1e-4)
    assert np.abs(together[0] - together[2]).max() > 0.1


def test_weights_of_the_users_own_are_read_by_name_and_others_refused(encoder, tmp_path):
    state = encoder.network.state_dict()
    named = tmp_path / "own.safetensors"
    save_file({f"backbone.{name}": value.contiguous() for name, value in state.items()}, named)
    torch.save({"teacher": state}, tmp_path / "own.pth")
    for path in (named, tmp_path / "own.pth"):
        same = open_encoder(NETWORK, str(path)).network.state_dict()
        assert torch.equal(same["conv_stem.weight"], state["conv_stem.weight"])
    with pytest.raises(ConfigError, match="name the network of timm"):
        open_encoder("resnet18", str(named))
    with pytest.raises(ConfigError, match="no weights at"):
        open_encoder(NETWORK, str(tmp_path / "none.pth"))
    torch.save({"code": print}, tmp_path / "code.pth")
    with pytest.raises(ConfigError, match="could run code"):
        open_encoder(NETWORK, str(tmp_path / "code.pth"))
    with pytest.raises(ConfigError, match="installed for"):
        open_encoder("resnet18", "imagenet")
    with pytest.raises(ConfigError, match="network_weights"):
        ShallowConfig(features="both")
