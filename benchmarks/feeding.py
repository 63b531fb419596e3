"""Feeding a network with rows against the whole forward and against tiles whose halo is the network's field.

In 3-D with planes, against the whole forward as torch runs it and as a prediction runs it (oneDNN, channels last). The
same network, weights and input in one process; rates in Mvoxels/s, the largest difference in probability, and the
peak of resident memory beyond what was held before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from voxloop.deep.networks.device import lay_out, move_network
from voxloop.deep.networks.network import NetworkConfig, build, receptive_field
from voxloop.deep.predict.streaming import stream
from voxloop.machine import machine
from voxloop.prediction.memory import peak_memory

#: 3-D networks of 16 channels and four levels
VOLUMETRIC = ("UNet3d", "DynUNet")
ENCODERS = ("tu-mobilenetv4_conv_small", "resnet18")
ROWS, TILE = 128, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a plane of 1024 voxels a side")
    side = 1024 if parser.parse_args().quick else 4096
    print(f"{machine().cores} cores, torch {torch.__version__}, a plane of {side} x {side}")
    print(f"{'network':34s} {'how':28s} {'Mvox/s':>8s} {'of whole':>9s} {'difference':>11s} {'peak MB':>8s}")
    for encoder in ENCODERS:
        compare(encoder, side)
    for architecture in VOLUMETRIC:
        compare_volumes(architecture, 64 if side < 4096 else 160)


def compare(encoder: str, side: int) -> None:
    torch.manual_seed(0)
    description = NetworkConfig(architecture="Unet", encoder=encoder, channels=1, outputs=3, decoder_width=0.25)
    network = move_network(build(description), torch.device("cpu")).eval()
    pixels = torch.randn(1, 1, side, side)
    halo = receptive_field(network, 1)
    fed = stream(network, 1, 2, 32)
    assert fed is not None
    with torch.inference_mode():
        network(pixels[:, :, :256, :256])
        whole, rate = report(encoder, "whole plane", lambda: network(pixels).softmax(1), None, None)
        report(encoder, f"fed with {ROWS} rows", lambda: in_rows(partial(fed, rows=ROWS), pixels), whole, rate)
        if halo is not None:
            up = -(-halo // 32) * 32
            report(encoder, f"tiles of {TILE}, halo {up}", lambda: in_tiles(network, pixels, up), whole, rate)


def compare_volumes(architecture: str, side: int) -> None:
    torch.manual_seed(0)
    network = build(
        NetworkConfig(
            architecture=architecture,
            encoder="",
            channels=1,
            outputs=3,
            width=16,
            kernels=((3, 3, 3),) * 4,
            strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
        )
    ).eval()
    pixels = torch.randn(1, 1, side, side, side)
    with torch.inference_mode():
        whole, rate = report(
            architecture, f"{side}^3, as torch runs it", lambda: network(pixels).softmax(1), None, None
        )
    move_network(network, torch.device("cpu"))
    given = lay_out(pixels)
    fed = stream(network, 1, 3, 8)
    assert fed is not None
    with torch.inference_mode():
        network(given[:, :, :32, :32, :32])
        report(architecture, "whole, oneDNN, channels last", lambda: network(given).softmax(1), whole, rate)
        report(architecture, "fed with 16 planes", lambda: in_rows(partial(fed, rows=16), given), whole, rate)


def in_rows(fed: Callable[..., object], pixels: Tensor) -> Tensor:
    return torch.cat([rows.softmax(1) for rows in fed(pixels)], 2)  # type: ignore[attr-defined]


def in_tiles(network: nn.Module, pixels: Tensor, halo: int) -> Tensor:
    side = pixels.shape[-1]
    out = torch.empty(1, 3, side, side)
    for y in range(0, side, TILE):
        for x in range(0, side, TILE):
            top, left = max(0, y - halo), max(0, x - halo)
            outer = pixels[:, :, top : y + TILE + halo, left : x + TILE + halo]
            found = network(outer).softmax(1)
            out[:, :, y : y + TILE, x : x + TILE] = found[:, :, y - top : y - top + TILE, x - left : x - left + TILE]
    return out


def report(
    name: str, how: str, run: Callable[[], Tensor], whole: Tensor | None, rate: float | None
) -> tuple[Tensor, float]:
    with peak_memory() as peak:
        began = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - began
    speed = found[0, 0].numel() / seconds / 1e6
    share = 1.0 if rate is None else speed / rate
    difference = 0.0 if whole is None else float((found - whole).abs().max())
    print(f"{name:34s} {how:28s} {speed:8.2f} {share:9.2f} {difference:11.1e} {peak.bytes / 2**20:8.0f}", flush=True)
    return found, speed


if __name__ == "__main__":
    main()
