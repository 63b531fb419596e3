"""3-D convolutions that run in oneDNN on a CPU whatever their size. Knows neither networks nor data.

For a batch of one torch takes its own unblocked convolution in 3-D where channels x depth x height come to less than
20,481 (``use_mkldnn`` in ``aten/src/ATen/native/Convolution.cpp``), ten times as slow on the shapes that the inner
levels of a network have.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv3d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """:func:`torch.nn.functional.conv3d`, in oneDNN where it can be; strides, paddings and dilations one an axis."""
    if (
        torch.compiler.is_exporting()  # first: the tracer of torch 2.7 cannot follow what is asked below
        or x.device.type != "cpu"
        or x.dtype != torch.float32
        or weight.dtype != torch.float32
        or not torch.backends.mkldnn.is_available()
        or not torch.backends.mkldnn.enabled
        or torch.is_autocast_enabled("cpu")
    ):
        return F.conv3d(x, weight, bias, stride, padding, dilation, groups)
    return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)


class FastConv3d(nn.Conv3d):
    """A convolution that :func:`conv3d` computes; what it is made from and keeps is as in torch."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 5 or self.padding_mode != "zeros" or isinstance(self.padding, str):
            return super().forward(x)
        return conv3d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def hasten(module: nn.Module) -> nn.Module:
    """Let every plain 3-D convolution of a module run so; the module itself, changed in place."""
    return _exchange(module, nn.Conv3d, FastConv3d)


def slacken(module: nn.Module) -> nn.Module:
    """Undo :func:`hasten`."""
    return _exchange(module, FastConv3d, nn.Conv3d)


def _exchange(module: nn.Module, old: type, new: type) -> nn.Module:
    for part in module.modules():
        if type(part) is old:  # a subclass may do something else
            part.__class__ = new
    return module
