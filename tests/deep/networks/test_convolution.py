"""Fast 3-D convolutions: the same numbers and gradients as torch's, and nothing of them outside."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from voxloop.deep.exchange.torch_model import TorchModel
from voxloop.deep.networks.convolution import FastConv3d, hasten, slacken
from voxloop.deep.networks.device import lay_out, move_network
from voxloop.model import ClassInfo, ModelSpec, Output


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([(2, 4, 1), (4, 4, 2), (8, 16, 1)]),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.booleans(),
    st.tuples(*[st.integers(5, 12)] * 3),
)
def test_numbers_and_gradients_are_those_of_torch(batch, channels, size, step, pad, wide, bias, shape):
    torch.manual_seed(0)
    taken, given_, groups = channels
    layer = nn.Conv3d(taken, given_, size, step, pad, wide, groups, bias)
    found = []
    for made in (layer, hasten(layer)):
        x = torch.randn(batch, taken, *shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
        layer.zero_grad()
        out = made(x)
        out.square().sum().backward()
        found.append((out.detach(), x.grad, layer.weight.grad.clone()))
    assert type(layer) is FastConv3d
    for plain, fast in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-3, rtol=1e-4)


def test_small_blocks_take_the_fast_library(monkeypatch):
    called = []
    fast = torch.mkldnn_convolution
    monkeypatch.setattr(torch, "mkldnn_convolution", lambda *given: called.append(1) or fast(*given))
    network = move_network(nn.Sequential(nn.Conv3d(1, 2, 3)), torch.device("cpu"))
    pixels = lay_out(torch.zeros(1, 1, 8, 8, 8))
    network(pixels)
    assert called == [1]
    with torch.autocast("cpu", torch.bfloat16):
        network(pixels)
    assert called == [1]  # there torch converts what goes in, and chooses


def test_layers_that_do_something_else_are_left_alone():
    class Own(nn.Conv3d):
        pass

    assert type(hasten(Own(1, 1, 3))) is Own
    mirrored = nn.Conv3d(1, 1, 3, padding=1, padding_mode="reflect")
    x = torch.randn(1, 1, 6, 6, 6)
    torch.testing.assert_close(hasten(mirrored)(x), slacken(mirrored)(x))


def test_a_module_of_the_caller_comes_back_as_it_was():
    module = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1))
    spec = ModelSpec(
        learner="deep",
        channels=1,
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        classes=(ClassInfo(value=1, name="a"), ClassInfo(value=2, name="b")),
        dimensions=3,
        halo=(1, 1, 1),
    )
    with TorchModel(module, spec).open():
        assert type(module[0]) is FastConv3d
    assert type(module[0]) is nn.Conv3d


def test_a_graph_of_it_holds_the_convolution_of_torch():
    module = hasten(nn.Sequential(nn.Conv3d(1, 2, 3))).eval()
    found = torch.export.export(module, (torch.zeros(1, 1, 8, 8, 8),))
    assert "conv3d" in str(found.graph)
    assert "mkldnn" not in str(found.graph)
