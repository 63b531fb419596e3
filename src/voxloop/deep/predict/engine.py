"""OpenVINO in place of torch where a processor computes a network: it keeps activations in blocks of channels, joins
layers, and takes no new memory between them. Knows neither tiles nor specs.

A network is traced and handed over in the process; nothing is written, and nothing is sent anywhere: the converter
that asks for consent to send statistics (``openvino.convert_model``) is not used.
"""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from voxloop.deep.networks.convolution import slacken
from voxloop.errors import ConfigError, ModelError
from voxloop.extras import install_line

#: 99.9 % of the probabilities differ less than this from what torch says in float32, or so many times as much as those
#: of torch in the same format do; else torch goes on
TOLERANCE, LIKE_TORCH = 1e-3, 2.0
#: times as fast as torch from which the change is worth it
WORTH = 1.15


@dataclass(frozen=True, slots=True)
class Trial:
    """A network in OpenVINO, tried against torch.

    ``faster``: how many times; ``error``: how far 99.9 % of the probabilities at most are from those of torch in
    float32, ``allowed``: how far they may be.
    """

    run: Callable[[Tensor], Tensor]
    faster: float
    error: float
    allowed: float
    precision: torch.dtype

    @property
    def agrees(self) -> bool:
        return self.error <= self.allowed

    @property
    def good(self) -> bool:
        return self.agrees and self.faster >= WORTH

    @property
    def words(self) -> str:
        kind = "" if self.precision == torch.float32 else f" in {str(self.precision).removeprefix('torch.')}"
        return (
            f"computed by OpenVINO {importlib.metadata.version('openvino').split('-')[0]}{kind}, {self.faster:.1f} "
            f"times as fast as torch; 99.9 % of the probabilities within {self.error:.0e} of torch in float32"
        )


def is_there() -> bool:
    """Whether OpenVINO is installed; it is not imported."""
    return importlib.util.find_spec("openvino") is not None


def check_there() -> None:
    """Raises ConfigError where OpenVINO is not installed."""
    if not is_there():
        raise ConfigError(f"backend='openvino' needs the package openvino: {install_line('openvino')}")


def hand_over(module: nn.Module, pixels: Tensor, precision: torch.dtype) -> Callable[[Tensor], Tensor]:
    """The network as OpenVINO computes it, for any number and size of images of as many channels.

    Parameters
    ----------
    module
        In evaluation mode, on the processor; left as it is.
    pixels
        (n, c, [z,] y, x) float32 to trace it with.
    precision
        float32 or bfloat16; what comes out is float32.

    Raises
    ------
    ModelError
        OpenVINO does not take this network.
    """
    try:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        twin = slacken(copy.deepcopy(module)).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")  # what tracing says of sizes: the trial shows whether it is right
            frontend = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(twin, example_input=(pixels.clone().contiguous(),))
            graph = frontend.convert(frontend.load(decoder))
        settings = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "bf16" if precision == torch.bfloat16 else "f32",
        }
        request = openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()
    except Exception as reason:  # it has errors of its own for everything
        raise ModelError(f"OpenVINO does not take this network: {' '.join(str(reason).split())[:200]}") from reason

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(request.infer([images.contiguous().numpy()], share_inputs=True)[0])

    return run


def tried(
    module: nn.Module,
    traced: Tensor,
    pixels: Tensor,
    precision: torch.dtype,
    torch_forward: Callable[[Tensor], Tensor],
    probabilities: Callable[[Tensor], Tensor],
) -> Trial:
    """Hand a network over, and compare it with torch on a picture.

    Parameters
    ----------
    traced, pixels
        (1, c, [z,] y, x): what the network is traced with, and what to compare on; of other sides, so that sizes that
        were fixed by tracing are noticed.
    torch_forward
        The network in torch, in the precision wanted.
    probabilities
        Of its output.

    Raises
    ------
    ModelError
        OpenVINO does not take this network, or not at another size.
    """
    run = hand_over(module, traced, precision)
    with torch.inference_mode():
        exact = probabilities(module(pixels).float())
        try:
            made = probabilities(run(pixels))
        except Exception as reason:
            raise ModelError(f"OpenVINO takes this network at one size only: {str(reason)[:200]}") from reason
        if made.shape != exact.shape:
            raise ModelError(f"OpenVINO makes {tuple(made.shape)} of it, torch {tuple(exact.shape)}")
        error = _apart(made, exact)
        allowed = max(TOLERANCE, LIKE_TORCH * _apart(probabilities(torch_forward(pixels).float()), exact))
        seconds = {True: float("inf"), False: float("inf")}
        for turn in range(8):  # in turns: the speed of a machine drifts
            began = time.perf_counter()
            (run if turn % 2 else torch_forward)(pixels)
            seconds[bool(turn % 2)] = min(seconds[bool(turn % 2)], time.perf_counter() - began)
    return Trial(run, seconds[False] / seconds[True], error, allowed, precision)


def _apart(made: Tensor, exact: Tensor) -> float:
    """How far 99.9 % of the values at most are from each other; infinity where any is no number."""
    far = (made - exact).abs().flatten()
    return float(far.kthvalue(max(1, int(far.numel() * 0.999))).values) if far.isfinite().all() else float("inf")


def fits(module: Any, device: torch.device, channels: int) -> bool:
    """Whether a network comes into question: on the processor, and what comes out small enough to be held whole."""
    return device.type == "cpu" and channels <= 16 and not module.training
