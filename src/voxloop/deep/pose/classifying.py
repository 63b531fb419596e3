"""What a training on classes of pictures teaches: labelled frames and images, and a classifier of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.config.pictures import PictureConfig
from voxloop.deep.begin.starting import weights_named
from voxloop.deep.networks.device import autocast, lay_out, move_network, resolve_device, resolve_precision
from voxloop.deep.pose import judging
from voxloop.deep.pose.beginning import begin_with, tell_origin
from voxloop.deep.pose.classifier import PictureModel, build_classifier, load, picture_spec, shown_picture
from voxloop.deep.pose.pictures import AlbumPicture, Reader, nothing, statistics
from voxloop.deep.pose.scores import PlaceScores
from voxloop.deep.pose.variation import varied_view, vary_grays
from voxloop.deep.training.model_folder import write_model
from voxloop.deep.training.saved import SavedTraining
from voxloop.deep.transfer import runtime, sent
from voxloop.errors import LabelError, ModelError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.runs.context import TaskContext
from voxloop.store.layout import RunPlace
from voxloop.volumes.object_windows import ObjectWindows

#: pictures are shown to the network at most so large, where nobody says how large
_SIDE = 224
#: held-out pictures in a batch
_AT_ONCE = 32
#: times that pictures are drawn again for an interval
_DRAWS = 500


class PictureSubject:
    """The :class:`voxloop.deep.pose.loop.Subject` of a :class:`PictureConfig`."""

    def __init__(self, context: TaskContext, config: PictureConfig, saved: SavedTraining) -> None:
        self._context, self.config = context, config
        self._shown = 0  # the last epoch of which samples were drawn
        self.device = resolve_device(config.device)
        self.precision = resolve_precision(config.precision, self.device)
        pictures, truth, self._classes, self._channels = open_pictures(context.workspace, context.config)
        judges = int(context.config.get("tiles", {}).get("judges", 0))  # of a validation set, the last ones
        held = (
            set(range(len(truth) - judges, len(truth)))
            if judges
            else _held_out(truth, config.validation_share, config.seed)
        )
        self._learnt = [one for index, one in enumerate(pictures) if index not in held]
        self._truth = np.array([value for index, value in enumerate(truth) if index not in held])
        self._held = [pictures[index] for index in sorted(held)]
        self._held_truth = np.array([truth[index] for index in sorted(held)], int)
        if saved.state:
            self._settled: dict[str, Any] = saved.state["settled"]
        else:
            mean, std = statistics(self._learnt)
            largest = max(max(one.shape[-2:]) for one in pictures)
            side = min(largest, _SIDE) if config.size == "auto" else int(config.size)
            self._settled = {"mean": mean, "std": std, "side": max(32, -(-side // 32) * 32)}
            if "objects" in context.config:
                self._settled["window"] = int(context.config["objects"]["window"])
        self._reader = Reader(self._settled["mean"], self._settled["std"])
        fresh = not saved.state and not config.start_from
        weights = weights_named(config.encoder_weights, context) if fresh else None
        network = build_classifier(config.network, self._channels, len(self._classes), weights)
        tell_origin(network, context)
        if config.start_from and not saved.state:
            begin_with(network, context, config.start_from, load)
        self.networks = nn.ModuleDict({"classifier": move_network(network, self.device)})
        counts = np.bincount(self._truth, minlength=len(self._classes)).astype(float)
        even = counts.sum() / np.maximum(1, counts) / max(1, (counts > 0).sum())
        weight = even if config.class_weights == "balanced" else np.ones_like(even)
        self._weight = torch.tensor(weight, dtype=torch.float32, device=self.device)

    # ------------------------------------------------------------------------------------------------ what it says

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def looked_at(self) -> int:
        return len(self._held)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self._classes)

    @property
    def words(self) -> str:
        counts = np.bincount(self._truth, minlength=len(self._classes)).tolist()
        told = ", ".join(f"{name} {count}" for name, count in zip(self.names, counts, strict=True))
        side = self._settled["side"]
        return f"{self.config.network} on {side} x {side} pixels; pictures that teach: {told}; {self.held} are held out"

    @property
    def became(self) -> dict[str, int]:
        return {"size": self._settled["side"]} if self.config.size == "auto" else {}

    def to_json(self) -> dict[str, Any]:
        return {"settled": self._settled}

    # ------------------------------------------------------------------------------------------------ what it teaches

    def cut(self, index: int, count: int) -> tuple[Tensor, Tensor]:
        side = self._settled["side"]
        pixels, truth = [], []
        for number in range(index * count, (index + 1) * count):
            rng = np.random.default_rng((self.config.seed, number))
            # every class as often, whatever their numbers
            value = int(rng.choice(np.unique(self._truth)))
            own = int(rng.choice(np.flatnonzero(self._truth == value)))
            picture = self._learnt[own]
            scale = side / max(picture.shape[-2:])
            middle = (np.array(picture.shape[-2:]) - 1) / 2
            view = varied_view(self.config, rng, (side, side), middle, (scale, scale))
            pixels.append(vary_grays(self.config, rng, shown_picture(picture, self._reader, view, side)))
            truth.append(value)
        cut = torch.stack(pixels), torch.tensor(truth)
        return cut if runtime(self.device) is None else (cut[0].pin_memory(), cut[1].pin_memory())

    def loss(self, cut: tuple[Tensor, Tensor]) -> Tensor:
        pixels, truth = (sent(part, self.device) for part in cut)
        with autocast(self.device, self.precision):
            logits = self.networks["classifier"](lay_out(pixels))
        return F.cross_entropy(logits.float(), truth, label_smoothing=self.config.label_smoothing)

    # ------------------------------------------------------------------------------------------------ what it reaches

    def judge(self, networks: nn.ModuleDict) -> tuple[PlaceScores, np.ndarray]:
        logits = self._answers(networks)
        truth = torch.from_numpy(self._held_truth)
        loss = F.cross_entropy(logits, truth, weight=self._weight.cpu())
        said = logits.argmax(1).numpy()
        return PlaceScores(float(loss), _measures(self._held_truth, said, self.names)), said

    def show(self, answered: np.ndarray, epoch: int, tell: Callable[[str, int], object]) -> None:
        """A sheet of held-out pictures, those that are wrong first, each with what it is and was said to be."""
        self._shown = epoch
        if not self.config.samples:
            return
        order = np.argsort(answered == self._held_truth, kind="stable")[:12]
        name = f"samples/{epoch:05d}-0.png"
        tiles = [(self._held[i], self.names[self._held_truth[i]], self.names[answered[i]]) for i in order.tolist()]
        _draw_sheet(self._context.path / name, tiles)
        tell(name, 0)

    def keep(self, networks: nn.ModuleDict) -> None:
        spec = picture_spec(self.config.network, self._classes, self._channels, self._settled)
        write_model(RunPlace(self._context.path).model, spec, networks["classifier"])

    def last_word(self) -> None:
        kept = load(RunPlace(self._context.path).model)
        networks = nn.ModuleDict({"classifier": kept.network(self.device)})
        with torch.inference_mode():
            said = self._answers(networks).argmax(1).numpy()
        right = (said == self._held_truth).astype(float)
        low, high = judging.interval(right.tolist(), self.config.seed)
        told = _measures(self._held_truth, said, self.names)
        count = len(self._classes)
        table = np.bincount(self._held_truth * count + said, minlength=count**2).reshape(count, count)
        self._context.emit(
            "measured",
            name="accuracy",
            pictures=self.held,
            mean=float(right.mean()),
            low=low,
            high=high,
            measures=told,
            detail={"intervals": self._intervals(said)},
            confusion={"names": list(self.names), "table": table.tolist()},
        )
        self._show_where(kept, said)
        words = f"on {self.held} held-out pictures: accuracy {right.mean():.3f} ({low:.2f}-{high:.2f}, 90 %)"
        self._context.emit("log", text=words)

    def _intervals(self, said: np.ndarray) -> dict[str, list[float]]:
        """Of each measure, 90 %, by drawing held-out pictures again and again."""
        rng = np.random.default_rng((self.config.seed, 13))
        if self.held < 2:
            return {}
        drawn = [rng.integers(self.held, size=self.held) for _ in range(_DRAWS)]
        found = [_measures(self._held_truth[one], said[one], self.names) for one in drawn]
        out = {}
        for name in _measures(self._held_truth, said, self.names):
            values = [one[name] for one in found if name in one]
            out[name] = [float(value) for value in np.percentile(values, [5, 95])]
        return out

    def _show_where(self, kept: PictureModel, said: np.ndarray) -> None:
        """A sheet of held-out pictures, wrong ones first, and where the network saw what it said."""
        if not self.config.samples:
            return
        order = np.argsort(said == self._held_truth, kind="stable")[:12].tolist()
        tiles = [(self._held[i], self.names[self._held_truth[i]], self.names[said[i]]) for i in order]
        heats: list[np.ndarray] | None = []
        with kept.opened(str(self.device), threads=torch.get_num_threads()) as opened:
            try:
                heats = [opened.looked_at(one.grays([0, 0], one.shape), name) for one, _, name in tiles]
            except ModelError:  # a network without a map of features
                heats = None
        name = "samples/where-it-looked.png"
        _draw_sheet(self._context.path / name, tiles, heats=heats)
        self._context.emit("sample", path=name, window=0, epoch=self._shown)

    def _answers(self, networks: nn.ModuleDict) -> Tensor:
        """(held, class) logits."""
        side, out = self._settled["side"], []
        for first in range(0, len(self._held), _AT_ONCE):
            part = self._held[first : first + _AT_ONCE]
            pixels = torch.stack([shown_picture(one, self._reader, None, side) for one in part])
            with autocast(self.device, self.precision):
                out.append(networks["classifier"](lay_out(pixels.to(self.device))).float().cpu())
        return torch.cat(out)


def open_pictures(
    workspace: Path, facts: dict[str, Any]
) -> tuple[list[AlbumPicture], list[int], tuple[ClassInfo, ...], int]:
    """Labelled pictures, the place of the class of each, the classes, the number of channels. Raises LabelError."""
    from voxloop.store import Store
    from voxloop.store.workspace import open_marks
    from voxloop.volumes import channels_of, open_volume, read_block

    pictures: list[AlbumPicture] = []
    truth: list[int] = []
    channels = 0
    with Store.open(workspace, read_only=True) as store:
        level = store.levels[facts["level"]]
        classes = tuple(ClassInfo(value=item.value, name=item.name, color=item.color) for item in level.classes)
        values = [item.value for item in classes]
        for key, sequence in facts["labels"].items():
            image = key.partition("/")[2]
            marks: Any = open_marks(workspace, level.name, image, at=sequence)
            volume = store.images.open(image)
            channels = channels or channels_of(volume)
            if channels_of(volume) != channels:
                raise LabelError("the images have different numbers of channels; learn from those alike")
            read = partial(read_block, volume)
            shape = (int(marks.shape[1]), int(marks.shape[2]))
            middle = 0 if marks.framed else int(marks.shape[0]) // 2  # of a volume its middle plane is looked at
            for frame, value in zip(*(part.tolist() for part in marks.classes_of(predicted=False)), strict=True):
                pictures.append(AlbumPicture(image, frame + middle, shape, read, nothing(2)))
                truth.append(values.index(value))
        opened: dict[str, Any] = {}
        for image, plane, top, bottom, left, right, value in facts.get("tiles", {}).get("classed", ()):
            if image not in opened:
                opened[image] = store.images.open(image)
            volume = opened[image]
            channels = channels or channels_of(volume)
            if channels_of(volume) != channels:
                raise LabelError("the images have different numbers of channels; learn from those alike")
            read = partial(_read_tile, volume, top, left)
            name = f"{image}/{top}:{bottom},{left}:{right}"  # readers keep what they read by its name
            pictures.append(AlbumPicture(name, plane, (bottom - top, right - left), read, nothing(2)))
            truth.append(values.index(value))
        windows = facts.get("objects", {"parts": ()})
        for part in windows["parts"]:
            volume = store.images.open(part["image"])
            channels = channels or channels_of(volume) + 1
            if channels_of(volume) + 1 != channels:
                raise LabelError("the images have different numbers of channels; learn from those alike")
            labels = open_volume(store.layout.named(part["folder"]))
            cutter = ObjectWindows(volume, labels, part["first"], windows["window"])
            for number, *middle, value in part["classed"]:
                name = f"{part['objects']}/{number}"
                read = partial(_read_object, cutter, number, middle)
                pictures.append(AlbumPicture(name, 0, (cutter.side, cutter.side), read, nothing(2)))
                truth.append(values.index(value))
    if len(set(truth)) < 2:
        raise LabelError(f"only one class is given in level {level.name!r}; give pictures of a second class theirs")
    return pictures, truth, classes, channels


def _read_tile(volume: Any, top: int, left: int, box: Box) -> np.ndarray:
    """Grays of a box of a tile that begins there."""
    from voxloop.volumes import read_block

    (z, y, x), stop = box.start, box.stop
    return read_block(volume, Box((z, y + top, x + left), (stop[0], stop[1] + top, stop[2] + left)))


def _read_object(windows: ObjectWindows, number: int, middle: Sequence[int], box: Box) -> np.ndarray:
    """Grays, and where the object is, of a box of the window around it."""
    return windows.read(number, middle)[:, None][(slice(None), slice(None), *box.slices[1:])]


def _held_out(truth: Sequence[int], share: float, seed: int) -> set[int]:
    """Which pictures are held out: of every class its share, in runs of neighbours; a class of one teaches."""
    rng = np.random.default_rng((seed, 12))
    held: set[int] = set()
    for value in sorted(set(truth)):
        own = np.flatnonzero(np.array(truth) == value)
        wanted = min(len(own) - 1, max(1, round(share * len(own)))) if share > 0 else 0
        if wanted > 0:
            start = int(rng.integers(len(own)))
            held |= set(np.roll(own, -start)[:wanted].tolist())
    return held


def _measures(truth: np.ndarray, said: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """``accuracy``, ``balanced_accuracy`` and ``recall/class`` each."""
    out = {"accuracy": float((truth == said).mean())}
    recalls = []
    for place, name in enumerate(names):
        own = truth == place
        if own.any():
            recalls.append(float((said[own] == place).mean()))
            out[f"recall/{name}"] = recalls[-1]
    out["balanced_accuracy"] = float(np.mean(recalls))
    return out


def _draw_sheet(
    path: Path,
    tiles: Sequence[tuple[AlbumPicture, str, str]],
    side: int = 96,
    heats: Sequence[np.ndarray] | None = None,
) -> None:
    """A PNG of pictures in a row, each with what it is and, where that differs, what it was said to be.

    ``heats``: maps (y, x) from 0 to 1, drawn over each picture once more below.
    """
    from PIL import Image, ImageDraw

    rows = 1 if heats is None else 2
    sheet = Image.new("RGB", (side * max(1, len(tiles)), rows * side + 14), "black")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, true, said) in enumerate(tiles):
        plane = picture.grays([0, 0], picture.shape)[0].astype(float)
        low, high = np.percentile(plane, [1, 99])
        gray = (np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
        sheet.paste(Image.fromarray(gray).resize((side - 2, side - 2)), (number * side, 0))
        if heats is not None:
            heat = heats[number][..., None]
            warm = (gray[..., None] * (1 - 0.7 * heat) + np.array([230, 159, 0]) * 0.7 * heat).astype(np.uint8)
            sheet.paste(Image.fromarray(warm).resize((side - 2, side - 2)), (number * side, side + 14))
        words, color = (true, "white") if true == said else (f"{true}: {said}?", "#e69f00")
        pen.text((number * side + 2, side), words[:16], fill=color)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    sheet.save(temporary, format="PNG")
    temporary.replace(path)
