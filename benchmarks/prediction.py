"""Whole-volume prediction against the bare forward and MONAI's sliding window; memory against volume and classes.

On a machine that others keep busy ``--processor`` counts processor time of one thread in place of the clock's.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import voxloop as vl
from voxloop.config import PredictConfig
from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.prediction.decode import Decoded
from voxloop.prediction.job import make_job
from voxloop.prediction.memory import peak_memory
from voxloop.prediction.output import create
from voxloop.prediction.plan import Tile
from voxloop.volumes import open_volume

MEMORY_GB = 12.0
#: pixels a side of the first slice of a lazy prediction: what a screen shows
SHOWN = 1024
#: seconds below which what comes first in a process weighs too much: others are measured after a trial of their own
SHORT = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller samples, the same code")
    parser.add_argument("--part", choices=["plane", "cube", "memory"], action="append", help="only this part")
    parser.add_argument("--processor", action="store_true", help="processor time of one thread, not the clock's")
    chosen = parser.parse_args()
    if chosen.processor:
        CLOCK.one_thread()
    wanted = chosen.part or ["plane", "cube", "memory"]
    if "plane" in wanted:
        network_part("2-D U-Net", plane_network(), (1, 1024, 1024) if chosen.quick else (1, 4096, 4096), (1, 512, 512))
    if "cube" in wanted:
        network_part("3-D U-Net", cube_network(), (96, 96, 96) if chosen.quick else (256, 256, 256), (64, 64, 64))
    if "memory" in wanted:
        memory_part([16, 32, 64] if chosen.quick else [256, 1024, 4096])
    return 0


class Clock:
    """Seconds as they pass, or those that this process computes."""

    def __init__(self) -> None:
        self.read, self.threads = time.perf_counter, None

    def one_thread(self) -> None:
        import torch

        torch.set_num_threads(1)
        self.read, self.threads = time.process_time, 1


CLOCK: Any = Clock()


# ------------------------------------------------------------------------------------------------------------ networks


@dataclass
class Network:
    """A torch network as a model: softmax of its logits; planes go through a 2-D one as a batch."""

    module: Any
    spec: ModelSpec

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Any]:
        yield self.forward

    def model(self) -> Any:
        """As a run's: the deep learner's predictor is what opens it."""
        from voxloop.deep.exchange.torch_model import TorchModel

        return TorchModel(self.module, self.spec)

    def predict(self, block: np.ndarray) -> np.ndarray:
        return self.forward(block[None])[0]

    def forward(self, batch: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(np.asarray(batch, np.float32)) / 128 - 1
            if self.spec.dimensions == 3:
                return self.logits(x).softmax(1).numpy()
            n, c, z, h, w = x.shape
            y = self.logits(x.transpose(1, 2).reshape(n * z, c, h, w)).softmax(1)
            return y.reshape(n, z, -1, h, w).transpose(1, 2).contiguous().numpy()

    def logits(self, x: Any) -> Any:
        import torch

        form = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        return self.module(x.contiguous(memory_format=form))


def _spec(dimensions: int, stride: int, halo: int) -> ModelSpec:
    flat = dimensions == 2
    return ModelSpec(
        learner="benchmark",
        normalisation={"mean": [128.0], "deviation": [128.0]},
        channels=1,
        classes=tuple(ClassInfo(value=i, name=str(i)) for i in (1, 2)),
        outputs=(Output(name="classes", kind="semantic", channels=2),),
        dimensions=dimensions,
        stride=(1 if flat else stride, stride, stride),
        halo=(0 if flat else halo, halo, halo),
    )


def plane_network() -> Network:
    """The deep learner's network for small machines, random weights with some contrast in the output."""
    import torch

    from voxloop.deep.networks.network import NetworkConfig, build, receptive_field

    torch.manual_seed(0)
    config = NetworkConfig(architecture="Unet", encoder="tu-mobilenetv4_conv_small", channels=1, outputs=2)
    network = build(config).eval()
    field = receptive_field(network, 1)
    assert field is not None
    module = _contrasted(network, torch.randn(1, 1, 256, 256))
    return Network(module.to(memory_format=torch.channels_last), _spec(2, 32, field))


def cube_network() -> Network:
    import torch
    from monai.networks.nets.basic_unet import BasicUNet

    torch.manual_seed(0)
    module = BasicUNet(3, 1, 2, features=(8, 8, 16, 32, 64, 8), norm="batch").eval()
    module = _contrasted(module, torch.randn(1, 1, 64, 64, 64))
    # two 3^3 convolutions at each of strides 1, 2, 4, 8, 16 on the way down, at 8, 4, 2, 1 on the way up
    field = 2 * (1 + 2 + 4 + 8 + 16) + 2 * (8 + 4 + 2 + 1) + 16
    return Network(module.to(memory_format=torch.channels_last_3d), _spec(3, 16, field))


def _contrasted(module: Any, sample: Any) -> Any:
    """Calibrated normalisations and logits spread over several units, so that differences mean something."""
    import torch

    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module, self.gain, self.shift = module, 1.0, 0.0

        def forward(self, x: Any) -> Any:
            return (self.module(x) - self.shift) * self.gain

    with torch.no_grad():
        module.train()
        for _ in range(20):
            module(sample)
        module.eval()
        out = module(sample)
    scaled = Scaled().eval()
    scaled.shift = out.mean(dim=[0, *range(2, out.ndim)], keepdim=True)
    scaled.gain = 2.0 / float(out.std())
    return scaled


# ---------------------------------------------------------------------------------------------------------- throughput


def network_part(title: str, network: Network, shape: tuple[int, int, int], window: tuple[int, int, int]) -> None:
    from scipy import ndimage

    rng = np.random.default_rng(0)
    picture = ndimage.gaussian_filter(rng.normal(size=shape), [0 if shape[0] == 1 else 2, 2, 2])
    picture = np.clip(128 + 50 * picture / picture.std(), 0, 255).astype(np.uint8)
    print(f"\n{title}, field {network.spec.halo}, {' x '.join(map(str, shape))} voxels")
    print(f"{'':42s} Mvox/s  of bare   largest error   99.9 %     flips   peak GB")
    whole, seconds, memory = timed(lambda: network.predict(picture[None]), again=True)
    bare = picture.size / seconds / 1e6
    line("bare forward on the whole", bare, 1.0, None, memory)
    for overlap, mode in ((0.25, "constant"), (0.5, "gaussian")):
        got, seconds, memory = timed(lambda o=overlap, m=mode: monai(network, picture, window, o, m), again=True)
        line(f"MONAI sliding window {overlap} {mode}", picture.size / seconds / 1e6, bare, got - whole, memory, whole)
    with tempfile.TemporaryDirectory() as folder:
        try:
            predict = bioimage(network, Path(folder), window)
            got, seconds, memory = timed(lambda: predict(picture), again=True)
            line("bioimageio.core, ONNX, no halo", picture.size / seconds / 1e6, bare, got - whole, memory, whole)
        except Exception as error:
            print(f"bioimageio.core: {error}")
    backends = ["torch", "openvino"] if importlib.util.find_spec("openvino") else ["torch"]
    for backend, mode in product(backends, ("exact", "fast")):
        config = PredictConfig(mode=mode, memory_gb=MEMORY_GB, scales=False, backend=backend)
        with tempfile.TemporaryDirectory() as folder:
            try:
                ours(title, network, picture, whole, bare, config, Path(folder))
            except Exception as error:
                print(f"voxloop {mode}, {backend}: {error}")
    for backend in backends if network.spec.dimensions == 2 else []:
        lazily(network, picture, whole, bare, backend)


def ours(
    title: str,
    network: Network,
    picture: np.ndarray,
    whole: np.ndarray,
    bare: float,
    config: PredictConfig,
    folder: Path,
) -> None:
    """Measured twice: to files, as a run does it, for speed; and tile by tile in float32, for the error."""
    with network.model().open(threads=CLOCK.threads) as predictor:
        _ours(title, network, predictor, config, picture, whole, bare, folder)


def _ours(
    title: str,
    network: Network,
    predictor: Any,
    config: PredictConfig,
    picture: np.ndarray,
    whole: np.ndarray,
    bare: float,
    folder: Path,
) -> None:
    mode = config.mode
    job = make_job(network.spec, predictor, open_volume(picture), config)
    cost = job.measure()
    halo, kept = job.fast_halo(cost) if mode == "fast" else (None, True)
    found = job.forecast(cost, halo)
    output = create(folder / "p.zarr", facts(network.spec), found.plan)
    _, seconds, memory = timed(lambda: list(job.run(found.plan, found.plan.tiles(), output.write)))
    got = np.empty_like(whole)
    for tile in found.plan.tiles():
        for block in found.plan.blocks(tile):
            got[:, *block.core.slices] = job.predict(block.outer)[:, *block.cut.slices]
    fed = "rows" if found.plan.by_rows else f"+ {max(found.plan.halo)}"
    name = f"voxloop {mode}, {config.backend}: {'x'.join(map(str, found.plan.block))} {fed}"
    line(name, picture.size / seconds / 1e6, bare, got - whole, memory, whole)
    print(f"{'':42s} forecast {found.seconds:.1f} s, took {seconds:.1f} s; waste {found.waste:.2f}; kept {kept}")


def lazily(network: Network, picture: np.ndarray, whole: np.ndarray, bare: float, backend: Any) -> None:
    """A plane that is sliced from ``vl.predict``; first what a screen shows of another."""
    source = vl.predict(network.model(), np.concatenate([picture, picture]), threads=CLOCK.threads, backend=backend)
    middle = (slice(max(0, (side - SHOWN) // 2), (side + SHOWN) // 2) for side in picture.shape[1:])
    _, first, _ = timed(lambda: np.asarray(source[:, 1, *middle]))
    got, seconds, memory = timed(lambda: np.asarray(source[:, :1]))
    line(f"vl.predict, {backend}: a plane", picture.size / seconds / 1e6, bare, got - whole, memory, whole)
    print(f"{'':42s} the first slice, {SHOWN} a side at most: {first:.2f} s")


def monai(network: Network, picture: np.ndarray, window: tuple[int, ...], overlap: float, mode: str) -> np.ndarray:
    import torch
    from monai.inferers.utils import sliding_window_inference

    flat = network.spec.dimensions == 2
    x = torch.from_numpy(np.asarray(picture, np.float32))[None, None] / 128 - 1
    with torch.inference_mode():
        y = sliding_window_inference(
            x[:, :, 0] if flat else x, window[1:] if flat else window, 1, network.logits, overlap=overlap, mode=mode
        )
        found: np.ndarray = y.softmax(1)[0].numpy()
    return found[:, None] if flat else found


def bioimage(network: Network, folder: Path, window: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """The network as a package, tiled by bioimageio.core in blocks of the window's size."""
    import bioimageio.core as core
    from bioimageio.spec import load_model_description

    from voxloop.deep.exchange.torch_model import TorchModel

    flat = network.spec.dimensions == 2
    sample = np.random.default_rng(0).integers(0, 255, (1, 1, 256, 256) if flat else (1, 64, 64, 64))
    TorchModel(network.module, network.spec).export(
        folder / "n.zip", name="benchmark", sample=sample.astype(np.float32)
    )
    described = load_model_description(folder / "n.zip")
    size = next(axis.size for axis in described.inputs[0].axes if axis.id == "y")
    blocks = (window[1] - size.min) // size.step
    pipeline = core.create_prediction_pipeline(described)

    def predict(picture: np.ndarray) -> np.ndarray:
        given = picture[None].astype(np.float32) if flat else picture[None, None].astype(np.float32)
        found = core.predict(model=pipeline, inputs={described.inputs[0].id: given}, blocksize_parameter=blocks)
        logits = found.members[described.outputs[0].id].data.values[0]
        return logits[:, None] if flat else logits

    return predict


def timed(call: Callable[[], Any], again: bool = False) -> tuple[Any, float, int]:
    """What a call gives, seconds, and memory at its peak; ``again``: the better of two, where one is short."""
    with peak_memory() as peak:
        start = CLOCK.read()
        found = call()
        seconds = CLOCK.read() - start
    if again and seconds < SHORT:
        return found, min(seconds, timed(call)[1]), peak.bytes
    return found, seconds, peak.bytes


def line(name: str, rate: float, bare: float, difference: Any, memory: int, whole: Any = None, width: int = 42) -> None:
    text = f"{name:{width}s} {rate:6.2f}  {rate / bare if bare != 1 else 1:7.2f}"
    if difference is None:
        text += f"{'':37s}"
    else:
        size = np.abs(difference)
        flips = ((whole + difference).argmax(0) != whole.argmax(0)).mean()
        text += f"{size.max():16.2e} {np.quantile(size, 0.999):8.1e} {flips:9.4%}"
    print(f"{text} {memory / 1e9:9.2f}", flush=True)


def facts(spec: ModelSpec) -> dict[str, Any]:
    return {
        "level": "labels",
        "spacing_um": [1.0] * 3,
        "origin_um": [0.0] * 3,
        "frames": False,
        "probabilities": True,
        "uncertainty": "margin",
        "lineage": {},
        "classes": [{"value": c.value, "name": c.name, "color": c.color, "background": False} for c in spec.classes],
    }


# -------------------------------------------------------------------------------------------------------------- memory


class Pattern:
    """A volume that is made up where it is read."""

    dtype, ndim = np.dtype(np.uint8), 3

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        z, y, x = (np.arange(*part.indices(n)) for part, n in zip(key, self.shape, strict=True))
        return (((y[:, None] // 16) ^ (x // 16)) + z[:, None, None]).astype(np.uint8)


def memory_part(planes: list[int]) -> None:
    """Peak memory of a process that predicts growing volumes, and with growing numbers of classes."""
    print("\nPeak memory of the process, a model of numpy alone, 1024 x 1024 pixels a plane, budget 2 GB")
    print("the process as a whole, then what the prediction adds to what it held when it began; probabilities are kept")
    print("Gvoxels  classes  whole MB  added MB      s")
    for count, classes in [*((n, 2) for n in planes), (16, 100)]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            whole, peak, seconds = pool.apply(_memory_of, (count, classes))
        print(f"{count / 1024:7.3f}  {classes:7d}  {whole / 1e6:8.0f}  {peak / 1e6:8.0f}  {seconds:5.1f}", flush=True)


def _memory_of(planes: int, classes: int) -> tuple[int, int, float]:
    import dask.array as da

    spec = replace(
        _spec(2, 1, 0),
        classes=tuple(ClassInfo(value=i + 1, name=str(i)) for i in range(classes)),
        outputs=(Output(name="classes", kind="semantic", channels=classes),),
    )

    def forward(batch: np.ndarray) -> np.ndarray:
        x = batch[:, 0, None].astype(np.float32) / 255
        score = np.exp(-np.abs(x - np.linspace(0, 1, classes, dtype=np.float32)[:, None, None, None]) * 8)
        return score / score.sum(axis=1, keepdims=True)

    shape = (planes, 1024, 1024)
    volume = open_volume(da.from_array(Pattern(shape), chunks=(1, 512, 512), meta=np.empty((0, 0, 0), np.uint8)))
    job = make_job(spec, forward, volume, PredictConfig(memory_gb=2.0, scales=False))
    plan = job.forecast(job.measure()).plan
    before = psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory() as folder, peak_memory() as peak:
        output = create(Path(folder) / "p.zarr", facts(spec), plan)

        def write(tile: Tile, decoded: Decoded) -> None:
            output.write(tile, decoded)

        start = time.perf_counter()
        for _ in job.run(plan, plan.tiles(), write):
            pass
        seconds = time.perf_counter() - start
    return before + peak.bytes, peak.bytes, seconds


if __name__ == "__main__":
    raise SystemExit(main())
