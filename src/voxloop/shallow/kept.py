"""Samples that a model learnt from, kept beside it: the next volume starts from them. One file of arrays, no code."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.archives import check_archive
from voxloop.errors import ConfigError, LabelError, ModelError, VolumeError
from voxloop.model import ClassInfo, ModelSpec, read_spec
from voxloop.shallow.beside import Beside
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.model import ChannelNormalisation, bank_of
from voxloop.shallow.samples import LabelledVoxels
from voxloop.shallow.supervoxels import to_json
from voxloop.shallow.table import FeatureTable

NAME = "samples.npz"
#: rows of a file at most, and rows of what lies around strokes
MOST = 50_000
#: intensities may lie this many deviations off, and spread by this factor
OFF, WIDER = 4.0, 4.0
_AROUND = ("around", "planes", "planes_around")


@dataclass(frozen=True, eq=False)
class KeptSamples:
    """What a model learnt from.

    Attributes
    ----------
    spec : of the model: features, normalisation, classes, channels.
    features : (n, features) float32, of labelled voxels or supervoxels.
    values : (n,) class values of ``spec``.
    beside : what a blend sees besides; None where the model is none.
    """

    spec: ModelSpec
    features: np.ndarray
    values: np.ndarray
    beside: Beside | None = None

    @property
    def bank(self) -> FeatureBank:
        return bank_of(self.spec)

    @property
    def normalisation(self) -> ChannelNormalisation:
        return ChannelNormalisation(tuple(self.spec.normalisation["offset"]), tuple(self.spec.normalisation["scale"]))

    @classmethod
    def of(cls, spec: ModelSpec, table: FeatureTable, seed: int) -> KeptSamples:
        """What of a table a model of this spec keeps: at most :data:`MOST` rows, classes alike as far as they go."""
        rng = np.random.default_rng(seed)
        teach = np.flatnonzero(table.kept)
        targets = table.targets[teach]
        share = max(1, MOST // max(1, len(table.classes)))
        own = [teach[targets == number] for number in range(len(table.classes))]
        rows = np.sort(np.concatenate([rng.permutation(one)[:share] for one in own]))
        values = np.array([info.value for info in table.classes], np.int32)[table.targets[rows]]
        beside = None if table.beside is None else table.beside.take(rows)
        if beside is not None:
            near = np.sort(rng.permutation(len(beside.around))[:MOST])
            flat = beside.planes_around
            # what a network saw is left out: the next volume would need the network
            beside = Beside(beside.around[near], beside.planes, None if flat is None else flat[near])
        return cls(spec, table.features[rows], values, beside)

    def save(self, folder: Path) -> Path:
        """Write it beside the model in ``folder``."""
        arrays: dict[str, Any] = {"features": self.features.astype(np.float32), "values": self.values.astype(np.int32)}
        if self.beside is not None:
            given = {name: getattr(self.beside, name) for name in _AROUND}
            arrays |= {name: array.astype(np.float32) for name, array in given.items() if array is not None}
        path, new = folder / NAME, folder / f".{NAME}.new"
        with new.open("wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return path

    def bank_on(self, channels: int, spacing_um: Sequence[float], image: str) -> FeatureBank:
        """The features of the model, for an image. Raises VolumeError where they cannot be the same there."""
        bank = self.bank
        if bank.channels != channels:
            raise VolumeError(
                f"the samples are of {bank.channels} channels and {image!r} has {channels}; choose the channels that "
                f"the model learnt from: {self._beside_words}"
            )
        if not np.allclose(bank.spacing_um, spacing_um, rtol=0.02):
            sizes = [" x ".join(f"{size:g}" for size in one) for one in (bank.spacing_um, spacing_um)]
            raise VolumeError(
                f"the samples are of voxels of {sizes[0]} µm and those of {image!r} are {sizes[1]} µm; features of one "
                "say nothing of the other: train afresh"
            )
        return bank

    @property
    def _beside_words(self) -> str:
        return ", ".join(map(str, (self.spec.extra.get("beside") or {}).get("names", ()))) or "the image alone"

    def check_intensities(self, measured: ChannelNormalisation) -> None:
        """Raise VolumeError where new images are nowhere near the intensities that the samples are of."""
        known = self.normalisation
        for number, (middle, spread, new, wide) in enumerate(
            zip(known.offset, known.scale, measured.offset, measured.scale, strict=True)
        ):
            if abs(new - middle) > OFF * spread or not 1 / WIDER <= wide / spread <= WIDER:
                raise VolumeError(
                    f"intensities of channel {number} lie around {new:.4g} ± {wide:.2g} here and {middle:.4g} ± "
                    f"{spread:.2g} where the samples are from; bring the images to one scale, or learn from a channel "
                    "such as zscore of each"
                )

    def joined(self, table: FeatureTable, classes: Sequence[ClassInfo]) -> FeatureTable:
        """A table of new strokes with these samples behind it.

        What one of both could not speak for (a feature that is 0 throughout) has no say in the whole either.

        Raises
        ------
        LabelError
            A class of the samples is none of ``classes``.
        ConfigError
            They are of supervoxels and the table is not, or the other way round, or of other ones.
        """
        own = None if table.supervoxels is None else to_json(table.supervoxels)
        if own != self.spec.extra.get("supervoxels"):
            raise ConfigError(
                "the samples are not of the same voxels or supervoxels; take the settings of the model that is "
                "started from, and no descriptor that is fitted anew (textons)"
            )
        values = self._values_among(classes)
        known = {info.value: info for info in (*classes, *table.classes)}
        both = tuple(known[value] for value in sorted({*values.tolist(), *(info.value for info in table.classes)}))
        places = np.array([info.value for info in both])
        new = np.array([info.value for info in table.classes])[table.targets]
        old = np.zeros(len(values), bool)
        return replace(
            table,
            features=_stacked(table.features, self.features),
            targets=np.searchsorted(places, np.concatenate([new, values])),
            seats=LabelledVoxels(
                np.concatenate([table.seats.at, np.full((len(values), 3), -1)]),
                np.concatenate([table.seats.values, values]),
            ),
            held=np.concatenate([table.held, old]),
            kept=np.concatenate([table.kept, ~old]),
            classes=both,
            beside=self._beside_with(table.beside),
        )

    def _values_among(self, classes: Sequence[ClassInfo]) -> np.ndarray:
        """The values of the samples in a level of these classes, by name."""
        here = {info.name.casefold(): info.value for info in classes}
        named = {info.value: info.name for info in self.spec.classes}
        lacking = [name for name in named.values() if name.casefold() not in here]
        if lacking:
            raise LabelError(
                f"the samples know class {lacking[0]!r} and this level has {', '.join(info.name for info in classes)}; "
                "add a class of that name, or rename one"
            )
        return np.array([here[named[int(value)].casefold()] for value in self.values], np.int64)

    def _beside_with(self, new: Beside | None) -> Beside | None:
        if new is None:
            return None
        old = self.beside or Beside(np.empty((0, new.around.shape[1]), np.float32))
        around = _stacked(new.around, old.around)
        if new.planes is None or new.planes_around is None or old.planes is None or old.planes_around is None:
            return Beside(around)
        return Beside(around, _stacked(new.planes, old.planes), _stacked(new.planes_around, old.planes_around))


def load(folder: Path) -> KeptSamples:
    """The samples that a model folder keeps. Raises ModelError where it keeps none, or they are damaged."""
    spec = read_spec(folder)
    if spec.learner != "shallow":
        raise ModelError(
            f"{folder} holds a model of the learner {spec.learner!r}; a classifier starts from a classifier"
        )
    path = folder / NAME
    if not path.exists():
        raise ModelError(f"the model in {folder} kept no samples; train it again with keep_samples=True")
    check_archive(path, error=ModelError, remedy="train again")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        beside = None
        if "around" in arrays:
            beside = Beside(arrays["around"], arrays.get("planes"), arrays.get("planes_around"))
        samples = KeptSamples(spec, arrays["features"], arrays["values"], beside)
        _check(samples)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise ModelError(f"{path} is damaged ({error}); train again") from error
    return samples


def channels_of_samples(samples: KeptSamples, asked: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The channels that are learnt from beside the image: those of the samples. Raises ConfigError for others."""
    from voxloop.channels.recipe import ChannelRecipe, digest

    def marks(facts: Mapping[str, Any]) -> list[str]:
        recipes = {recipe.name: recipe for recipe in map(ChannelRecipe.of, facts["recipes"])}
        return [digest(name, recipes) for name in facts["names"]]

    known: Mapping[str, Any] | None = samples.spec.extra.get("beside")
    if not asked or not known:
        if asked:
            raise ConfigError("the samples are of the image alone; leave channels out, or train afresh")
        return known
    if marks(asked) != marks(known):
        raise ConfigError(
            f"the samples are of channels {', '.join(known['names'])}, made otherwise than those chosen here "
            f"({', '.join(asked['names'])}); leave channels out, and those of the samples are taken"
        )
    return known


def _check(samples: KeptSamples) -> None:
    """Shapes fit each other and the spec. Raises ValueError."""
    rows = len(samples.values)
    if samples.values.ndim != 1 or samples.values.dtype != np.int32 or not 0 < rows <= 2 * MOST:
        raise ValueError("its classes are none")
    if samples.features.ndim != 2 or len(samples.features) != rows:
        raise ValueError("its arrays do not fit together")
    if samples.spec.extra.get("supervoxels") is None and samples.features.shape[1] != samples.bank.count:
        raise ValueError("its features are not those of the model")
    if not set(samples.values.tolist()) <= {info.value for info in samples.spec.classes}:
        raise ValueError("its classes are not those of the model")
    tables = [samples.features]
    if samples.beside is not None:
        given = [getattr(samples.beside, field.name) for field in fields(samples.beside)]
        tables += [array for array in given if array is not None]
        planes = samples.beside.planes
        if samples.beside.around.ndim != 2 or samples.beside.around.shape[1] != samples.features.shape[1]:
            raise ValueError("its arrays do not fit together")
        if planes is not None and len(planes) != rows:
            raise ValueError("its arrays do not fit together")
    for table in tables:
        if table.dtype != np.float32 or table.ndim != 2 or not np.isfinite(table).all():
            raise ValueError("it holds what is no number")


def _stacked(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Rows of both; a feature that is 0 in all of one of them is 0 in both."""
    if not len(new) or not len(old):
        return np.concatenate([new, old])
    whole = np.concatenate([new, old])
    whole[:, ~new.any(axis=0) | ~old.any(axis=0)] = 0
    return whole
