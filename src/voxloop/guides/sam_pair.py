"""A pair of ONNX graphs of the family of Segment Anything: one reads a picture, one answers hints about it.

Read are the layouts of Segment Anything's own export, micro-sam, MobileSAM and samexporter. An ONNX file is a graph of
known operations, run by onnxruntime: opening one executes nothing from the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.guides.hints import Hints, Spot, Window
from voxloop.guides.open_cv import as_bytes_of

#: side of the square that encoders read, where the graph does not say
_SIDE = 1024
#: of the photographs that the networks learnt from; what encoders without a normalisation of their own are to be given
_MEAN, _DEVIATION = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)
#: side of the low-resolution masks that are handed back to a decoder
_LOW = 256
#: points of a stroke that a decoder is told
_FROM_STROKE = 5
#: a plane larger than this is read in windows this large, half of it apart
FIELD = 1536
_NEEDED = ("image_embeddings", "point_coords", "point_labels")
_OPTIONAL = ("mask_input", "has_mask_input", "orig_im_size")


@dataclass(frozen=True, slots=True)
class Embedding:
    """What an encoder made of a picture of ``shape``; points are scaled by ``scale`` for the decoder."""

    values: np.ndarray
    shape: tuple[int, int]
    scale: float
    side: int


class SamPair:
    """An encoder and a decoder, opened.

    Raises
    ------
    ModelError
        A file cannot be opened, or does not take and give what such a pair does; the sentence names what is expected.
    """

    def __init__(self, encoder: Path, decoder: Path, threads: int = 1) -> None:
        self._encoder, self._decoder = (_session(path, threads) for path in (encoder, decoder))
        self._read = _layout(encoder, self._encoder)
        given = {entry.name: entry for entry in self._decoder.get_inputs()}
        missing = [name for name in _NEEDED if name not in given]
        strange = [name for name in given if name not in (*_NEEDED, *_OPTIONAL)]
        if missing or strange:
            raise ModelError(
                f"{decoder.name} is no decoder that fits: it takes {', '.join(given) or 'nothing'}; expected are "
                f"{', '.join(_NEEDED)}, and where it has them {', '.join(_OPTIONAL)}"
            )
        self._takes = set(given)
        made = [out.shape for out in self._encoder.get_outputs() if len(out.shape) == 4]
        wanted = given["image_embeddings"].shape
        if not made or not _fits(made[0], wanted):
            raise ModelError(
                f"{encoder.name} gives {_dims(made[0]) if made else 'no embedding of 4 dimensions'} and "
                f"{decoder.name} takes image_embeddings of {_dims(wanted)}: they are no pair"
            )

    def embed(self, picture: np.ndarray) -> Embedding:
        """Read a picture (rows, columns) of any intensities."""
        from skimage.transform import resize

        side, kind, raw = self._read
        rows, columns = picture.shape
        scale = side / max(rows, columns)
        shape = max(1, round(rows * scale)), max(1, round(columns * scale))
        small = resize(as_bytes_of(picture).astype(np.float32), shape, order=1, preserve_range=True)
        colours = np.repeat(np.asarray(small, np.float32)[..., None], 3, axis=2)
        if kind != "hwc":
            colours = colours if raw else (colours - _MEAN) / _DEVIATION
            padded = np.zeros((side, side, 3), np.float32)
            padded[: shape[0], : shape[1]] = colours
            colours = (padded.transpose(2, 0, 1) if kind == "nchw" else padded)[None]
        entry = self._encoder.get_inputs()[0]
        out = self._run(self._encoder, {entry.name: colours.astype(np.uint8 if "uint8" in entry.type else np.float32)})
        values = next(one for one in out.values() if one.ndim == 4)
        return Embedding(values, (rows, columns), scale, side)

    def mask(self, embedding: Embedding, hints: Hints, window: Window) -> Spot | None:
        """What hints point at in the window of the plane that was embedded; None where there is nothing."""
        points, labels = _prompt(hints, window)
        rows, columns = embedding.shape
        fed = {
            "image_embeddings": embedding.values,
            "point_coords": (points[:, ::-1] * embedding.scale)[None].astype(np.float32),
            "point_labels": labels[None].astype(np.float32),
            "mask_input": np.zeros((1, 1, _LOW, _LOW), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array([rows, columns], np.float32),
        }
        out = self._run(self._decoder, {name: value for name, value in fed.items() if name in self._takes})
        logits = out.get("masks", out.get("low_res_masks"))
        if logits is None:
            logits = next((one for one in out.values() if one.ndim == 4), None)
        if logits is None or logits.ndim != 4:
            raise ModelError(f"the decoder gives {', '.join(out)}; expected are masks (1, n, rows, columns)")
        scores = out.get("iou_predictions")
        best = 0 if scores is None or scores.size != logits.shape[1] else int(scores.ravel().argmax())
        mask = _placed(logits[0, best], embedding) > 0
        return Spot((window[0].start, window[1].start), mask).trimmed()

    def _run(self, session: Any, fed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            values = session.run(None, fed)
        except Exception as error:  # onnxruntime has errors of its own for everything
            raise ModelError(f"the pair of networks could not answer: {str(error).splitlines()[0][:200]}") from error
        return {out.name: np.asarray(value) for out, value in zip(session.get_outputs(), values, strict=True)}


def files_of(model: object) -> tuple[Path, Path]:
    """Encoder and decoder, from two paths or the folder that holds both. Raises ModelError."""
    if isinstance(model, Mapping):
        model = (model.get("encoder"), model.get("decoder"))
    if isinstance(model, str | Path):
        folder = Path(model).expanduser()
        found = [_named(folder, word) for word in ("encoder", "decoder")]
        if not all(len(some) == 1 for some in found):
            raise ModelError(
                f"{str(folder)[:200]} is no folder with one *encoder*.onnx and one *decoder*.onnx; give both paths: "
                "model=('encoder.onnx', 'decoder.onnx')"
            )
        return found[0][0], found[1][0]
    if not isinstance(model, list | tuple) or len(model) != 2 or not all(isinstance(one, str | Path) for one in model):
        raise ModelError("a model that answers clicks is two files: model=('encoder.onnx', 'decoder.onnx')")
    encoder, decoder = (Path(one).expanduser() for one in model)
    for path in (encoder, decoder):
        if path not in _named(path.parent, path.stem):
            raise ModelError(f"there is no file {str(path)[:200]}")
    return encoder, decoder


def _named(folder: Path, word: str) -> list[Path]:
    """Graphs in a folder whose names hold a word."""
    try:
        return sorted(path for path in folder.iterdir() if word in path.name and path.suffix == ".onnx")
    except (OSError, ValueError):  # none, no folder, a name that no disk takes
        return []


def field_of(hints: Hints, size: tuple[int, int]) -> Window:
    """The part of a plane that is embedded: all of it, or of a large one a window around the hints."""
    around = hints.window(size)
    out = []
    for part, whole in zip(around, size, strict=True):
        if whole <= FIELD:
            out.append(slice(0, whole))
            continue
        half = FIELD // 2
        start = max(0, round(((part.start + part.stop) / 2 - half) / half) * half)
        start = min(start, whole - FIELD)
        out.append(slice(start, start + FIELD))
    return out[0], out[1]


def _prompt(hints: Hints, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Points (row, column) within the window and what each is: 1 in, 0 out, 2 and 3 corners of a box, -1 nothing."""
    points: list[np.ndarray] = []
    labels: list[int] = []
    for lines, label in ((hints.inside, 1), (hints.outside, 0)):
        for line in lines:
            some = line[np.unique(np.linspace(0, len(line) - 1, min(len(line), _FROM_STROKE)).astype(int))]
            points += list(some)
            labels += [label] * len(some)
    box = hints.box
    if hints.before is not None:
        from scipy.ndimage import distance_transform_edt

        depth = distance_transform_edt(np.pad(hints.before.mask, 1))[1:-1, 1:-1]
        deepest = np.array(np.unravel_index(int(depth.argmax()), depth.shape))
        points.append(deepest + hints.before.origin)
        labels.append(1)
        (top, left), (bottom, right) = hints.before.origin, hints.before.ends
        box = float(top), float(left), float(bottom), float(right)
    if box is not None:
        points += [np.array(box[:2]), np.array(box[2:])]
        labels += [2, 3]
    else:  # decoders were trained with a point that is none where there is no box
        points.append(np.array([window[0].start, window[1].start]) - 0.0)
        labels.append(-1)
    return np.array(points, float) - [window[0].start, window[1].start] + 0.5, np.array(labels)


def _placed(logits: np.ndarray, embedding: Embedding) -> np.ndarray:
    """Logits over the picture, whichever of the usual sizes they come in."""
    from skimage.transform import resize

    if logits.shape == embedding.shape:
        return logits
    # low resolution, of the padded square
    rows, columns = (size * embedding.scale / embedding.side for size in embedding.shape)
    cut = logits[: max(1, round(rows * logits.shape[0])), : max(1, round(columns * logits.shape[1]))]
    return np.asarray(resize(cut.astype(np.float32), embedding.shape, order=1))


def _layout(path: Path, session: Any) -> tuple[int, str, bool]:
    """Side of the square, order of axes ("nchw", "nhwc" or "hwc": scaled and padded by itself), whether raw bytes."""
    inputs = session.get_inputs()
    shape = list(inputs[0].shape)
    raw = "uint8" in inputs[0].type
    if len(inputs) == 1 and len(shape) == 4 and shape[1] == 3:
        return _side(shape[2]), "nchw", raw
    if len(inputs) == 1 and len(shape) == 4 and shape[3] == 3:
        return _side(shape[1]), "nhwc", raw
    if len(inputs) == 1 and len(shape) == 3 and shape[2] in (3, "num_channels", None):
        return _SIDE, "hwc", True
    listed = ", ".join(f"{entry.name} {_dims(entry.shape)}" for entry in inputs)
    raise ModelError(
        f"{path.name} is no encoder that fits: it takes {listed}; expected is one picture: (1, 3, side, side), "
        "(1, side, side, 3) or (rows, columns, 3)"
    )


def _side(given: Any) -> int:
    return given if isinstance(given, int) and given > 0 else _SIDE


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("networks in ONNX need onnxruntime: pip install 'voxloop[exchange]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = max(1, threads)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has errors of its own for everything
        raise ModelError(f"{path} cannot be opened: {str(error).splitlines()[0][:200]}") from error


def _fits(made: Any, wanted: Any) -> bool:
    numbers = [(a, b) for a, b in zip(made, wanted, strict=False) if isinstance(a, int) and isinstance(b, int)]
    return len(made) == len(wanted) and all(a == b for a, b in numbers)


def _dims(shape: Any) -> str:
    return f"({', '.join(str(one) for one in shape)})"
