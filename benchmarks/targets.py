"""What tells touching objects apart: boundary and depth, arrows, affinities, or star distances, all else equal.

The same network from the same weights sees the same windows of 20 pictures of nuclei for as many steps as arrows take
in the CPU time given; the 45 others judge. Affinities (Turaga et al. 2010) say whether a voxel and those 1, 3 and 7 on
are of one object, and are cut by a mutex watershed (Wolf et al. 2018); star distances say how far the border lies
along 16 rays (Schmidt et al. 2018), with one layer more before them, and of polygons that overlap the surer one stays.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.instances import NAME, PICTURES, TRAINING, decoded, scores
from voxloop.deep.data.targets import FIRST, UNLABELLED, evened

#: how far apart the two voxels of an affinity are, along y and along x
APART = (1, 3, 7)
#: rays of a star, and how far along one is looked, voxels
RAYS, FARTHEST = 16, 48
#: of stars, in the layer before the outputs
FEATURES = 64
#: overlap with a surer polygon from which one is dropped, share of the smaller
_OVERLAP = 0.4
#: depth from which a voxel may speak for an object
SURE = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="twenty steps of each")
    parser.add_argument("--cpu-seconds", type=float, default=110.0, help="of arrows; the others take as many steps")
    parser.add_argument("--steps", type=int, default=None, help="of each, instead of CPU seconds")
    parser.add_argument("--judged", type=int, default=PICTURES - TRAINING, help="of the other pictures, so many judge")
    parser.add_argument("--order", type=int, default=0, help="which 20 pictures teach")
    parser.add_argument("--targets", default="arrows,boundaries,affinities,stars")
    chosen = parser.parse_args()
    import voxloop as vl
    from voxloop.deep.begin.material import gather_now

    torch.set_num_threads(1)
    order = [int(i) for i in np.random.default_rng(chosen.order).permutation(PICTURES)]
    judges = order[TRAINING : TRAINING + chosen.judged]
    samples = {i: vl.samples.load(NAME, seed=i) for i in order}
    pictures = {i: (np.asarray(s.volume), np.asarray(s.truth)) for i, s in samples.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ws"
        with vl.Workspace.create(path, classes=[{"name": "background", "background": True}], kind="instances") as ws:
            for i in order[:TRAINING]:
                ws.images.add(f"p{i:02d}", pictures[i][0])
                ws.labels(image=f"p{i:02d}").load(pictures[i][1], zero="background")
                ws.labels(image=f"p{i:02d}").flush()
        steps = 20 if chosen.quick else chosen.steps
        auto = vl.presets["auto"].changed(scale="1", threads=1)
        assert isinstance(auto, vl.DeepConfig)
        usual = gather_now(path, auto).config
        for name in chosen.targets.split(","):
            target = "instances" if name == "boundaries" else "flow"
            material = gather_now(path, usual.changed(target=target))
            learnt = LEARNT[name](material)
            network, steps, seconds = trained(material, learnt, steps, chosen.cpu_seconds)
            found = [(said(network, material, learnt, pictures[i][0]), pictures[i][1]) for i in judges]
            pooled, mean, quality = scores(found, learnt.decode)
            print(f"{name:>12} {steps} steps, {seconds:.0f} CPU s: {pooled:.3f} {mean:.3f} {quality:.3f}", flush=True)
    return 0


class Usual:
    """Boundaries or arrows, as a run learns and decodes them."""

    def __init__(self, material: Any) -> None:
        import voxloop as vl

        self.criterion = material.criterion()
        self.outputs = material.description.outputs
        self.decode = decoded(vl, vl.ObjectsConfig())

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.criterion(logits, labels)

    def changed(self, network: Any) -> Any:
        return network

    def said(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class Affinities:
    """Foreground, and whether voxels some way apart are of one object."""

    outputs = 1 + 2 * len(APART)

    def __init__(self, _material: Any) -> None:
        self.decode = mutex_watershed

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        codes = labels.long()
        counts = _counts(labels)
        total = _of_foreground(logits[:, 0], codes >= FIRST, counts)
        for channel, (axis, apart) in enumerate(_pairs(), start=1):
            end = codes.shape[axis] - apart
            here, there = codes.narrow(axis, 0, end), codes.narrow(axis, apart, end)
            # what is no object anywhere is settled by the foreground
            told = (here > UNLABELLED) & (there > UNLABELLED) & ((here >= FIRST) | (there >= FIRST))
            weight = told * torch.maximum(counts.narrow(axis, 0, end), counts.narrow(axis, apart, end))
            each = F.binary_cross_entropy_with_logits(
                logits[:, channel].narrow(axis, 0, end), (here == there).float(), reduction="none"
            )
            total = total + (each * weight).sum() / weight.sum().clamp_min(1e-6) / len(APART)
        return total

    def changed(self, network: Any) -> Any:
        return network

    def said(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class Stars:
    """Foreground, how deep in its object a voxel lies, and how far the border is along rays.

    As StarDist has it, a layer of features of its own lies before the many outputs: of the eight of the network, which
    four arrows are content with, they learn next to nothing. Rays are learnt in multiples of the usual one of the
    pictures that teach, so that errors are about one, and depth within objects alone: beside the background, it would
    first be learnt as another foreground, highest along rims.
    """

    outputs = 2 + RAYS

    def __init__(self, material: Any) -> None:
        self.decode = polygons
        self._usual = _usual_ray(material)

    def changed(self, network: Any) -> Any:
        plain = network.core.segmentation_head[0]
        network.core.segmentation_head[0] = nn.Sequential(
            nn.Conv2d(plain.in_channels, FEATURES, 3, padding=1), nn.ReLU(), nn.Conv2d(FEATURES, self.outputs, 1)
        )
        return network

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        from voxloop.deep.data.targets import instance_targets

        crops = labels.numpy()
        made = [instance_targets(crop) for crop in crops]
        inside, counts = labels >= FIRST, _counts(labels)
        depth = torch.from_numpy(np.stack([one.values[2] for one in made]))
        known = counts * inside * torch.from_numpy(np.stack([one.known[2] for one in made]))
        each = F.binary_cross_entropy_with_logits(logits[:, 1], depth, reduction="none")
        total = _of_foreground(logits[:, 0], inside, counts)
        total = total + 2 * (each * known).sum() / known.sum().clamp_min(1e-6)
        heard = known * (depth + 0.2)  # the middle of an object will speak for it
        n, y, x = np.nonzero(heard.numpy())
        border = np.concatenate([rays(crop, y[n == i], x[n == i]) for i, crop in enumerate(crops)]) / self._usual
        off = (logits[n, 2:, y, x] - torch.from_numpy(border)).abs().mean(1)
        return total + 2 * (off * heard[n, y, x]).sum() / heard.sum().clamp_min(1e-6)

    def said(self, logits: Tensor) -> Tensor:
        return torch.cat([logits[:2].sigmoid(), logits[2:].clamp(0, 10) * self._usual])


LEARNT: dict[str, Callable[[Any], Any]] = {
    "arrows": Usual,
    "boundaries": Usual,
    "affinities": Affinities,
    "stars": Stars,
}


def _pairs() -> list[tuple[int, int]]:
    """Axis of (n, y, x), and how far apart, of each affinity."""
    return [(axis, apart) for apart in APART for axis in (1, 2)]


def _counts(labels: Tensor) -> Tensor:
    """How much each voxel counts, as where arrows are learnt: small objects are heard, what nobody labelled is not."""
    crops = labels.numpy()
    return torch.from_numpy(np.stack([evened(crop) * (crop > UNLABELLED) for crop in crops]))


def _usual_ray(material: Any) -> float:
    """Median of how far the border is from the deeper voxels of objects, over the first batches, voxels."""
    from voxloop.deep.data.targets import instance_targets

    found = []
    for crop in torch.cat([material.batch(step)[1] for step in range(4)]).numpy():
        made = instance_targets(crop)
        found.append(rays(crop, *np.nonzero((made.values[2] > 0.5) & made.known[2])).ravel())
    return max(1.0, float(np.median(np.concatenate(found))))


def _of_foreground(logits: Tensor, inside: Tensor, counts: Tensor) -> Tensor:
    """Cross-entropy and half of Dice, as the losses of a run."""
    each = F.binary_cross_entropy_with_logits(logits, inside.float(), reduction="none")
    said = logits.sigmoid() * counts
    dice = 1 - (2 * (said * inside).sum() + 1) / (said.sum() + (inside * counts).sum() + 1)
    return (each * counts).sum() / counts.sum().clamp_min(1e-6) + 0.5 * dice


def rays(codes: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How far voxels (n,) are from the last of their object along each ray: (n, rays) float32."""
    found = np.zeros((len(y), RAYS), np.float32)
    own = codes[y, x]
    for ray, angle in enumerate(np.arange(RAYS) * 2 * np.pi / RAYS):
        going = np.arange(len(y))
        for step in range(1, FARTHEST):
            there_y = y[going] + round(step * np.sin(angle))
            there_x = x[going] + round(step * np.cos(angle))
            within = (there_y >= 0) & (there_x >= 0) & (there_y < codes.shape[0]) & (there_x < codes.shape[1])
            going, there_y, there_x = going[within], there_y[within], there_x[within]
            going = going[codes[there_y, there_x] == own[going]]
            if not len(going):
                break
            found[going, ray] = step
    return found


def polygons(outputs: np.ndarray) -> np.ndarray:
    """Objects of foreground, depth and rays (channels, 1, y, x): of polygons that overlap the surer stays.

    What is foreground has an object: a depth that must be reached would find none while the network still says less.
    """
    from skimage.draw import polygon
    from skimage.feature import peak_local_max

    foreground, depth = outputs[0, 0], outputs[1, 0]
    far = outputs[2:, 0] + 0.5
    height = depth * (foreground > 0.5)
    found, sizes = np.zeros(foreground.shape, np.int32), [0]
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    for y, x in peak_local_max(height, min_distance=1, threshold_abs=SURE, exclude_border=False):
        rows, columns = polygon(y + far[:, y, x] * np.sin(angle), x + far[:, y, x] * np.cos(angle), found.shape)
        if not len(rows):
            continue
        under = found[rows, columns]
        shared = np.bincount(under, minlength=len(sizes))
        shared[0] = 0
        if (shared <= _OVERLAP * np.minimum(np.maximum(sizes, 1), len(rows))).all():
            free = under == 0
            found[rows[free], columns[free]] = len(sizes)
            sizes.append(int(free.sum()))
    return _without_flecks(found)


def mutex_watershed(outputs: np.ndarray) -> np.ndarray:
    """Objects of foreground and affinities (channels, 1, y, x): the surest word first, be it together or apart."""
    inside = outputs[0, 0] > 0.5
    index = np.arange(inside.size).reshape(inside.shape)
    words = []
    for channel, (axis, apart) in enumerate(_pairs(), start=1):
        end = inside.shape[axis - 1] - apart
        cut = [slice(None)] * 2
        cut[axis - 1] = slice(0, end)
        moved = [slice(None)] * 2
        moved[axis - 1] = slice(apart, None)
        both = inside[tuple(cut)] & inside[tuple(moved)]
        together = outputs[channel, 0][tuple(cut)][both]
        short = apart == APART[0]
        words.append(
            np.stack(
                [
                    together if short else 1 - together,
                    index[tuple(cut)][both],
                    index[tuple(moved)][both],
                    np.full(both.sum(), short),
                ]
            )
        )
    surest = np.concatenate(words, axis=1)
    surest = surest[:, np.argsort(-surest[0], kind="stable")]
    parent = list(range(inside.size))
    foes: dict[int, set[int]] = {}

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for a, b, short in zip(
        surest[1].astype(int).tolist(), surest[2].astype(int).tolist(), surest[3].tolist(), strict=True
    ):
        a, b = root(a), root(b)
        if a == b or b in foes.get(a, ()):
            continue
        if short:
            if len(foes.get(a, ())) > len(foes.get(b, ())):
                a, b = b, a
            parent[a] = b
            for foe in foes.pop(a, ()):
                foes[foe].discard(a)
                foes[foe].add(b)
                foes.setdefault(b, set()).add(foe)
        else:
            foes.setdefault(a, set()).add(b)
            foes.setdefault(b, set()).add(a)
    names = np.array([root(int(at)) for at in np.flatnonzero(inside)])
    found = np.zeros(inside.shape, np.int32)
    if len(names):
        found[inside] = np.unique(names, return_inverse=True)[1] + 1
    return _without_flecks(found)


def _without_flecks(found: np.ndarray) -> np.ndarray:
    """A plane of objects as (1, y, x), what is too small for one left out as from arrows and boundaries."""
    import voxloop as vl
    from voxloop.objects.segmenting import too_small

    sizes = np.bincount(found.ravel())[1:]
    unasked: Any = None  # the field, whose voxel counts where a size is given in micrometres
    small = np.concatenate([[False], too_small(sizes, vl.ObjectsConfig(), unasked, instances=True)])
    return np.where(small[found], 0, found)[None]


def trained(material: Any, learnt: Any, steps: int | None, cpu: float) -> tuple[Any, int, float]:
    """A network that learns by a loss for so many steps, or for so many CPU seconds; its average, steps, seconds."""
    from voxloop.deep.begin.starting import encoder_weights
    from voxloop.deep.networks.device import lay_out, move_network
    from voxloop.deep.networks.network import build
    from voxloop.deep.objective.optimisers import clip_gradient, optimiser
    from voxloop.deep.training.averaging import WeightAverage
    from voxloop.deep.training.schedule import factor

    config = material.config
    torch.manual_seed(config.seed)
    network = build(replace(material.description, outputs=learnt.outputs), encoder_weights(config, material.context))
    network = learnt.changed(network)
    move_network(network, material.device).train()
    moves, average = optimiser(config, network), WeightAverage(network, config.average_weights)
    began, step = time.process_time(), 0
    while steps is None or step < steps:
        share = factor("cosine", step, steps or 10**9, config.warmup_steps) * min(1, (step + 1) / config.warmup_steps)
        for group in moves.param_groups:
            group["lr"] = config.learning_rate * share * group["share"]
        moves.zero_grad(set_to_none=True)
        pixels, labels = material.batch(step)
        learnt.loss(network(lay_out(pixels)).float(), labels).backward()
        clip_gradient(network, config.gradient_clip)
        moves.step()
        average.update(step)
        step += 1
        if steps is None and step == 20:
            steps = max(21, int(20 * cpu / (time.process_time() - began)))
    return average.module.eval(), step, time.process_time() - began


def said(network: Any, material: Any, learnt: Any, picture: np.ndarray) -> np.ndarray:
    """Outputs (channels, 1, y, x) of a picture at the exposure that was learnt."""
    import voxloop as vl
    from voxloop.volumes.exposure import as_exposed

    volume = vl.open_volume(picture, axes="zyx")
    if material.data.exposure:
        volume = as_exposed(volume, material.data.exposure)
    pixels = np.asarray(volume, np.float32)[None]
    with torch.inference_mode():
        seen, _ = material.prepare(pixels, np.zeros((1, *picture.shape[1:]), np.uint8))
        return np.asarray(learnt.said(network(seen)[0].float()))[:, None]


if __name__ == "__main__":
    sys.exit(main())
