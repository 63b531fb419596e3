"""Pseudo-labels: windows without strokes, labelled by a teacher where it is sure. Knows no optimiser.

The teacher is a pixel classifier fitted to the same strokes; it knows the texture of every class within seconds, where
a network sees nothing but strokes for minutes. As the run goes on, the network's own averaged weights join in
(self-training: Lee 2013; averaged weights as teacher: Tarvainen and Valpola 2017).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.begin.material import Material
from voxloop.deep.begin.starting import ancestor
from voxloop.deep.data.pool import PlacePool, can_classify, wanted
from voxloop.deep.data.windows import (
    Place,
    area_mask,
    training_window,
    window_box,
)
from voxloop.deep.predict.predictor import resize
from voxloop.deep.training.classifier import PixelClassifier, ask
from voxloop.deep.training.team import Team
from voxloop.errors import RunError
from voxloop.model import load_model

#: share of the run after which the network speaks too, and what its word counts at the end
_ALONE, _TRUST = 0.3, 0.6
#: one in so many windows is looked at again after each epoch
_TURNS = 4
#: bytes of prepared windows at most
_BYTES = 256 << 20

#: among strokes: outside of where anything may be learnt
OUTSIDE = 255

#: pixels, the teacher's probabilities uint8 (classes, y, x), strokes uint8 (y, x), labels uint8 (y, x)
Window = tuple[Tensor, Tensor, Tensor, Tensor]


def open_teachers(
    material: Material, folder: Path, team: Team, threads: int
) -> tuple[PixelClassifier | None, PseudoLabels | None]:
    """The pixel classifier that teaches, is judged, or both, and the pseudo-labels; None of what is not wanted.

    Parameters
    ----------
    folder
        Of the run's checkpoints.
    """
    config, data = material.config, material.data
    teaches = wanted(config, data)
    compared = team.leads and config.compare_with == "classifier" and can_classify(data)
    if not (teaches or compared):
        return None, None
    own = folder if team.leads else folder / f"rank-{team.rank}"
    wanted_soon = compared or config.teacher == "auto"
    classifier = PixelClassifier(material, own, threads, wanted=wanted_soon, predicts=compared)
    return classifier, PseudoLabels(material, classifier) if teaches else None


class PseudoLabels:
    """Windows anywhere in the images, and what the teacher thinks of them.

    They come a block at a time (:meth:`start`, :meth:`arrived`), are drawn with :meth:`batch`, and looked at again with
    :meth:`relabel`. Everything is a function of the seed, the labels and the network.

    Parameters
    ----------
    classifier
        What teaches, where the config names no earlier run.
    """

    def __init__(self, material: Material, classifier: PixelClassifier) -> None:
        self._context, self._config, self._data = material.context, material.config, material.data
        self._geometry, self._zoom = material.geometry, material.arrangement.zoom
        self._prepare, self._classifier = material.prepare, classifier
        self._teacher: Any = None
        self._pool = PlacePool(self._data.training_images, self._geometry, self._config.seed)
        self._pixels: list[Tensor] = []
        self._opinions: list[Tensor] = []  # (classes, y, x) uint8: the teacher's probabilities
        self._strokes: list[Tensor] = []  # (y, x) uint8: what is labelled by hand; OUTSIDE where nothing may be learnt
        self._labels: list[Tensor] = []  # (y, x) uint8: what is learnt from
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teacher")
        self._pending: Future[tuple[list[Place], list[Window]]] | None = None
        self._closed = False
        self.full = False
        self.window_seconds = 0.0  # what the teacher takes for a window

    def share(self, step: int, size: int) -> int:
        """How many of the ``size`` windows of a step are from the pool: half, in turn one more and one less."""
        return (size + step % 2) // 2 if self._labels else 0

    def batch(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Prepared windows (n, c, y, x), labels (n, y, x) uint8 (0: unsure), mirrored and turned; with z in 3-D."""
        rng = np.random.default_rng((self._config.seed, 4, step))
        pairs = [_turned(self._pixels[i], self._labels[i], rng) for i in rng.integers(len(self._labels), size=count)]
        return torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])

    def start(self) -> None:
        """Have the next block made in the background; nothing where one is under way."""
        if self._pending is None and not self.full:
            self._pending = self._thread.submit(self._make)

    def arrived(self) -> bool:
        """Take the block that is under way; False while it is."""
        if self._pending is None or not self._pending.done():
            return False
        places, windows = self._pending.result()
        self._pending = None
        if not windows:
            self.full = True
            return True
        self._pool.take(places)
        for kept, new in zip(
            (self._pixels, self._opinions, self._strokes, self._labels), zip(*windows, strict=True), strict=True
        ):
            kept.extend(new)
        held = sum(t.numel() * t.element_size() for t in (*self._pixels, *self._opinions))
        self.full = len(self._labels) >= self._config.teacher_windows or held > _BYTES
        return True

    def close(self) -> None:
        """Give up what is under way."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def relabel(self, network: nn.Module, epoch: int, share: float) -> None:
        """Let the network have its say on a part of the windows.

        Parameters
        ----------
        network
            In evaluation mode.
        share
            How much of the run is over, 0 to 1.
        """
        trust = _TRUST * min(1.0, max(0.0, (share - _ALONE) / _ALONE))
        if not trust:
            return
        with torch.inference_mode():
            for index in range(epoch % _TURNS, len(self._labels), _TURNS):
                network_says = network(self._pixels[index][None])[0].float().softmax(0)
                mixed = (1 - trust) * self._opinions[index].float() / 255 + trust * network_says
                self._labels[index] = self._sure(mixed, self._strokes[index])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint needs; pixels are read again."""
        return {f"pool.{name}": torch.stack(part) for name, part in self._parts().items()} if self._labels else {}

    def restore(self, tensors: dict[str, Tensor], blocks: int, full: bool) -> None:
        """Put back what :meth:`tensors` gave, of as many blocks."""
        self.full = full
        if not blocks:
            return
        self._teacher = self._fit()
        for _ in range(blocks):
            self._pool.take([place for stack in self._next() for place in stack])
        self._pixels = [self._prepared(place)[0] for block in self._pool.blocks for place in block]
        for name, part in self._parts().items():
            part.extend(tensors[f"pool.{name}"].to(self._pixels[0].device).unbind())

    @property
    def blocks(self) -> int:
        return len(self._pool.blocks)

    def _parts(self) -> dict[str, list[Tensor]]:
        return {"told": self._opinions, "strokes": self._strokes, "labels": self._labels}

    def _make(self) -> tuple[list[Place], list[Window]]:
        """The windows of one block; none where the teacher has nothing more to say. Runs in the background."""
        self._teacher = self._teacher or self._fit()
        stacks = self._next() if self._teacher else []
        places = [place for stack in stacks for place in stack]
        if not places or self._pool.knows(places):  # small images are known soon
            return [], []
        windows = []
        threads = (
            None if not self._pool.blocks else 1
        )  # the other cores train meanwhile, once there is something to learn
        with self._teacher.open(threads=threads) as predictor:
            began = time.monotonic()
            for stack in stacks:
                self._check_open()
                probabilities = self._ask(predictor, stack)
                if self._geometry.volumetric:
                    windows.append(self._window(stack[0], probabilities))
                    continue
                for plane, place in enumerate(stack):
                    windows.append(self._window(place, probabilities[:, plane]))
            self.window_seconds = (time.monotonic() - began) / len(places)
        return places, windows

    def _window(self, place: Place, probabilities: np.ndarray) -> Window:
        pixels, strokes = self._prepared(place)
        small = resize(torch.from_numpy(probabilities[None]), self._zoom)[0].to(pixels.device)
        return pixels, (small * 255).round().to(torch.uint8), strokes, self._sure(small, strokes)

    def _prepared(self, place: Place) -> tuple[Tensor, Tensor]:
        pixels, labels = training_window(self._data.images, place, self._geometry)
        apart = self._config.split == "apart"
        labels[~area_mask(self._data.images[place.image], place, self._geometry, apart=apart)] = OUTSIDE
        both = self._prepare(pixels[None], labels[None])
        return both[0][0], both[1][0]

    def _fit(self) -> Any:
        """The teacher, or None where it cannot learn from what is labelled (said as a warning)."""
        if self._config.teacher != "auto":
            return load_model(ancestor(self._config.teacher, self._context, "teacher"))
        return self._classifier.teacher()

    def _check_open(self) -> None:
        if self._closed:
            raise RunError("the run has ended")

    def _next(self) -> list[list[Place]]:
        return self._pool.next_stacks(through=self._teacher.spec.dimensions == 3)

    def _ask(self, predictor: Any, stack: Sequence[Place]) -> np.ndarray:
        """The teacher's probabilities float32 (classes, z, y, x) in the order of the classes; 0 outside the image."""
        image = self._data.images[stack[0].image]
        window = window_box(stack[0], self._geometry)
        if not self._geometry.volumetric:
            window = window.cut("z", stack[0].z, stack[-1].z + 1)
        return ask(predictor, self._teacher.spec, image, window, self._data.classes)

    def _sure(self, probabilities: Tensor, strokes: Tensor) -> Tensor:
        """Labels where the highest probability suffices; a stroke is right in any case; outside is nothing."""
        best, position = probabilities.max(0)
        labels = torch.where(best >= self._config.teacher_confidence, position + 1, 0).to(torch.uint8)
        return torch.where(strokes > 0, strokes % OUTSIDE, labels)


def _turned(pixels: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    down, across, turns = (int(v) for v in rng.integers((2, 2, 4)))
    axes = [axis for axis, on in ((-2, down), (-1, across)) if on]
    turns = turns if labels.shape[-2] == labels.shape[-1] else turns // 2 * 2
    pixels, labels = torch.flip(pixels, axes), torch.flip(labels, axes)
    return torch.rot90(pixels, turns, (-2, -1)), torch.rot90(labels, turns, (-2, -1))
