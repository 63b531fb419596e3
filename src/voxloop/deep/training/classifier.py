"""The pixel classifier beside a network, from the same labels: it teaches, is judged, may predict. Knows no network.

Up to three are fitted, each within seconds: the *teacher* without the labels that are held out; the *whole* one, from
all labels but a test set, which chooses its settings as a run of the shallow learner does and lies in ``classifier/``
of the run; and, where that chose other settings than the teacher has, the *judged* one with those, without what is held
out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.deep.begin.material import Material
from voxloop.deep.data.reach import BESIDE
from voxloop.deep.data.split import Split
from voxloop.deep.data.windows import TrainingImage
from voxloop.errors import RunError, VoxloopError
from voxloop.geometry import Box
from voxloop.model import ClassInfo, Model, ModelSpec, Predictor, load_model, predict_part, resolve
from voxloop.store.layout import RunPlace

#: fits one; by name, since learners do not import each other
_FIT = "voxloop.shallow.learner:fit_teacher"
#: what a choice is called that changes no settings
_UNCHANGED = "as it is"


class PixelClassifier:
    """Fits in the background from :meth:`start` on.

    Parameters
    ----------
    folder
        Where the fitted ones that do not predict are kept, so that a resumed run has the same.
    threads
        Of each fit.
    wanted
        Whether the run waits for it; else it is fitted where somebody asks.
    predicts
        Whether the whole one is wanted, and the judged one.
    """

    def __init__(self, material: Material, folder: Path, threads: int, *, wanted: bool, predicts: bool) -> None:
        self._context, self._config = material.context, material.config
        self._splits = {image.name: (image.split, image.shape) for image in material.data.images}
        self._folder, self._threads, self._predicts = folder, threads, predicts
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        self._teacher: Future[Model | None] | None = None
        self._others: Future[Model | None] | None = None
        self._closed = False
        self.wanted = wanted
        self.failure = ""
        self.seconds = 0.0

    def start(self) -> None:
        """Begin to fit; nothing where that was done."""
        if self._teacher is None:
            after = ", and is what the network is put beside at the end" if self._predicts else ""
            text = f"a pixel classifier learns from the same labels first: it says what nobody painted{after}"
            self._context.emit("log", text=text)
            self._teacher = self._thread.submit(self._fit_teacher)
            self._others = self._thread.submit(self._fit_others)

    @property
    def ready(self) -> bool:
        """Whether all are fitted that were begun; where an earlier run teaches and nothing is judged, none is."""
        return self._others is None or self._others.done()

    def teacher(self) -> Model | None:
        """The one that teaches, as soon as it is there; None where the labels do not suffice, which was said."""
        self.start()
        assert self._teacher is not None
        return self._teacher.result()

    def judged(self) -> Model | None:
        """The one to be judged on what is held out, as soon as it is there; None where there is none."""
        self.start()
        assert self._others is not None
        return self._others.result()

    def close(self) -> None:
        """Give up what is under way."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _fit_teacher(self) -> Model | None:
        began = time.monotonic()
        try:
            return self._stored(self._folder / "teacher", lambda: self._fit(_without_held_out, {}).model)
        except VoxloopError as error:
            if self._closed:
                raise
            self.failure = str(error)
            self._context.emit("warning", text=f"what is not labelled is not learnt from: {error}")
            return None
        finally:
            self.seconds += time.monotonic() - began

    def _fit_others(self) -> Model | None:
        teacher = self.teacher()
        if teacher is None or not self._predicts:
            return None
        began = time.monotonic()
        whole = self._stored(RunPlace(self._context.path).classifier, self._fit_whole)
        choice = whole.spec.extra.get("choice", {}).get("name", _UNCHANGED)
        self.seconds += time.monotonic() - began
        return teacher if choice == _UNCHANGED else load_model(self._folder / "judged")

    def _fit_whole(self) -> Any:
        """That of all labels; before it is saved, the judged one where it is to have settings of its own."""
        inside = {"constrain": self._config.constrain}
        fitted = self._fit(_without_test, inside, judge=True)
        if fitted.choice and fitted.choice.name != _UNCHANGED:
            settings = fitted.choice.config.to_json()
            self._fit(_without_held_out, settings).model.save(self._folder / "judged")
        return fitted.model

    def _stored(self, folder: Path, fit: Callable[[], Any]) -> Model:
        """The model of a folder, fitted and saved where there is none yet."""
        if not (folder / "spec.json").is_file():
            fit().save(folder)
        return load_model(folder)

    def _fit(self, keep: Callable[[Split], Split], settings: dict[str, Any], *, judge: bool = False) -> Any:
        splits = {name: (keep(split), shape) for name, (split, shape) in self._splits.items()}

        def may_learn(name: str, at: np.ndarray) -> np.ndarray:
            split, shape = splits[name]
            return split.in_training(at, shape)

        return resolve(_FIT)(
            self._context.workspace,
            self._context.config,
            settings={"seed": self._config.seed, **settings},
            heard=self.check_open,
            keep=may_learn,
            threads=self._threads,
            judge=judge,
        )

    def check_open(self) -> None:
        """Raise RunError where the run has ended meanwhile."""
        if self._closed:
            raise RunError("the run has ended")


def _without_held_out(split: Split) -> Split:
    return split


def _without_test(split: Split) -> Split:
    return split.without_validation()


def ask(
    predictor: Predictor, spec: ModelSpec, image: TrainingImage, window: Box, classes: Sequence[ClassInfo]
) -> np.ndarray:
    """Probabilities float32 (classes, z, y, x) of a window in the order of ``classes``; 0 outside the image."""
    inner = window.clip(image.shape)  # windows touch their image
    reach = [min(halo, most) for halo, most in zip(spec.halo or BESIDE, BESIDE, strict=True)]
    outer = inner.grow(reach).clip(image.shape)
    pixels = image.raw or image.pixels  # it has a scale of its own
    probabilities = predict_part(predictor, pixels(outer), inner.within(outer))
    out = np.zeros((len(classes), *window.shape), np.float32)
    values = [info.value for info in spec.classes]
    here = inner.within(window).slices
    for position, info in enumerate(classes):
        if info.value in values:
            out[position, *here] = probabilities[values.index(info.value)]
    return out
