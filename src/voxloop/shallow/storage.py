"""Shallow models on disk: ``spec.json`` beside ``perceptron.npz`` or ``classifier.skops``. Nothing there can run code.

The types that may be built are listed here and never read from the file; what was built is then checked
(:mod:`voxloop.shallow.soundness`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.archives import check_archive
from voxloop.errors import ModelError
from voxloop.model import ModelSpec, read_spec
from voxloop.shallow.classifier import Classifier, Estimated, Projected
from voxloop.shallow.perceptron import Perceptron
from voxloop.shallow.projection import Projection
from voxloop.shallow.soundness import arrays, fits, kinds

#: arrays alone need no skops, whose import takes five seconds
PERCEPTRON, ESTIMATOR, PROJECTION = "perceptron.npz", "classifier.skops", "projection.npz"
#: what helps where a file is damaged
_REMEDY = "use another checkpoint of the run, or train again"
#: beyond scikit-learn's own estimators and numpy arrays, which skops knows to be inert
TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)


def add_hash(spec: ModelSpec, classifier: Classifier) -> ModelSpec:
    """``spec`` with the hash of all that decides the output."""
    digest = hashlib.sha256(json.dumps(replace(spec, hash="").to_json(), sort_keys=True, default=list).encode())
    for array in _arrays(classifier):
        digest.update(np.ascontiguousarray(array).tobytes())
    return replace(spec, hash=digest.hexdigest()[:32])


def save(spec: ModelSpec, classifier: Classifier, folder: Path) -> Path:
    """Write a model into ``folder``, which appears only when it is complete; one that is there is replaced.

    Raises ModelError where the disk refuses.
    """
    try:
        return _save(spec, classifier, folder)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model cannot be saved in {folder} ({getattr(error, 'strerror', None) or error})"
        ) from error


def _save(spec: ModelSpec, classifier: Classifier, folder: Path) -> Path:
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    _write(classifier, new)
    (new / "spec.json").write_text(json.dumps(add_hash(spec, classifier).to_json(), indent=1))
    for path in new.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if folder.is_file():
        raise NotADirectoryError(0, "it is a file")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def read(folder: Path) -> tuple[ModelSpec, Classifier]:
    """What a model folder holds, for :func:`check`. Raises ModelError for one that is damaged or of another learner."""
    spec = read_spec(folder)
    if spec.learner != "shallow":
        raise ModelError(f"{folder} holds a model of the learner {spec.learner!r}, not a shallow one")
    classifier: Classifier = _read_perceptron(folder) if (folder / PERCEPTRON).exists() else _read_estimator(folder)
    if (folder / PROJECTION).exists():
        classifier = Projected(_read_projection(folder), classifier)
    return spec, classifier


def _write(classifier: Classifier, folder: Path) -> None:
    if isinstance(classifier, Projected):
        projection = classifier.projection
        axes: dict[str, Any] = {} if projection.axes is None else {"axes": projection.axes}
        np.savez(folder / PROJECTION, offset=projection.offset, scale=projection.scale, **axes)
        classifier = classifier.within
    if isinstance(classifier, Perceptron):
        weights: dict[str, Any] = {f"weights_{n}": array for n, array in enumerate(classifier.weights)}
        biases: dict[str, Any] = {f"biases_{n}": array for n, array in enumerate(classifier.biases)}
        np.savez(folder / PERCEPTRON, **weights, **biases)
    else:
        import skops.io

        assert isinstance(classifier, Estimated)
        skops.io.dump(classifier.estimator, folder / ESTIMATOR)


def _read_perceptron(folder: Path) -> Perceptron:
    path = folder / PERCEPTRON
    arrays = _read_arrays(path)
    layers = range(len(arrays) // 2)
    names = [f"{kind}_{n}" for kind in ("weights", "biases") for n in layers]
    if not names or sorted(arrays) != sorted(names):
        raise ModelError(f"{path} holds no perceptron of voxloop; train again")
    return Perceptron(tuple(arrays[f"weights_{n}"] for n in layers), tuple(arrays[f"biases_{n}"] for n in layers))


def _read_projection(folder: Path) -> Projection:
    path = folder / PROJECTION
    arrays = _read_arrays(path)
    axes = arrays.pop("axes", None)
    if sorted(arrays) != ["offset", "scale"]:
        raise ModelError(f"{path} holds no projection of voxloop; train again")
    return Projection(arrays["offset"], arrays["scale"], axes)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of single precision, and nothing else. Raises ModelError."""
    check_archive(path, error=ModelError, remedy=_REMEDY)
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = dict(content)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, KeyError, EOFError, MemoryError) as error:
        raise ModelError(f"{path} is damaged ({error}); use another checkpoint of the run, or train again") from error
    if any(getattr(array, "dtype", None) != np.float32 for array in arrays.values()):
        raise ModelError(f"{path} is not of voxloop; train again")
    return arrays


def _read_estimator(folder: Path) -> Estimated:
    path = folder / ESTIMATOR
    if not path.exists():
        raise ModelError(f"{folder} holds no classifier; use another checkpoint of the run, or train again")
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    check_archive(path, error=ModelError, remedy=_REMEDY)
    try:
        estimator = skops.io.load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelError(f"{path} wants to build what no voxloop model holds and was not loaded: {error}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise ModelError(f"{path} is damaged ({error}); use another checkpoint of the run, or train again") from error
    if type(estimator) not in kinds():
        raise ModelError(f"{path} holds a {type(estimator).__name__}, no classifier of voxloop; train again")
    return Estimated(estimator)


def check(spec: ModelSpec, classifier: Classifier, features: int, folder: Path) -> None:
    """Shapes fit the spec, indices stay inside, and the content is what was hashed. Raises ModelError."""
    if not _fits(classifier, features, spec.out_channels):
        raise ModelError(f"classifier and spec.json of {folder} do not fit each other; one of them was changed")
    if add_hash(spec, classifier).hash != spec.hash:
        raise ModelError(f"the model in {folder} is not what was saved there; use another checkpoint, or train again")


def _fits(classifier: Classifier, features: int, classes: int) -> bool:
    if isinstance(classifier, Projected):
        projection = classifier.projection
        within = projection.axes is None or projection.axes.shape == (features, projection.components)
        flat = projection.offset.shape == projection.scale.shape == (features,)
        return flat and within and _fits(classifier.within, projection.components, classes)
    if isinstance(classifier, Estimated):
        return fits(classifier.estimator, features, classes)
    assert isinstance(classifier, Perceptron)
    return _perceptron_fits(classifier, features, classes)


def _perceptron_fits(network: Perceptron, features: int, classes: int) -> bool:
    widths = [features, *(bias.size for bias in network.biases)]
    shapes = [w.shape for w in network.weights]
    return shapes == list(pairwise(widths)) and all(bias.ndim == 1 for bias in network.biases) and widths[-1] == classes


def _arrays(classifier: Classifier) -> list[np.ndarray]:
    if isinstance(classifier, Projected):
        own = classifier.projection
        axes = [] if own.axes is None else [own.axes]
        return [own.offset, own.scale, *axes, *_arrays(classifier.within)]
    if isinstance(classifier, Estimated):
        return arrays(classifier.estimator)
    assert isinstance(classifier, Perceptron)
    return [*classifier.weights, *classifier.biases]
