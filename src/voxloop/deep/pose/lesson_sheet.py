"""Windows of a lesson as a picture: grays, what is taught over them, and fields along edges as colours."""

from __future__ import annotations

import colorsys
import io

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from voxloop.deep.pose.lessons import Lesson
from voxloop.deep.pose.plan import StagePlan

#: height of a row of windows, pixels, at most
_SIDE = 160
_GAP = 4


def draw_lesson(lesson: Lesson, stage: StagePlan) -> bytes:
    """A PNG: windows above, confidence maps over them (a hue each), then fields (hue is direction) where there are."""
    from PIL import Image

    columns = []
    for number in range(len(lesson.pixels)):
        pixels, maps = lesson.pixels[number], lesson.maps[number]
        plane = _plane(maps, stage)
        gray = _gray(_slice(pixels, None if plane is None else plane * stage.stride("maps")[0])[0].numpy())
        rows = [gray, _over(gray, _slice(maps, plane), _hues(len(maps)))]
        if lesson.extents is not None and lesson.measured is not None:
            _draw_sides(rows[1], lesson, number, stage, plane)
        if lesson.fields is not None:
            rows.append(_directions(gray, lesson.fields[number]))
        columns.append(np.concatenate([part for row in rows for part in (row, _line(row.shape[1], across=True))][:-1]))
    line = _line(columns[0].shape[0], across=False)
    sheet = Image.fromarray(np.concatenate([part for one in columns for part in (one, line)][:-1], axis=1))
    rows_there = 3 if lesson.fields is not None else 2
    factor = min(1.0, rows_there * _SIDE / sheet.height) if sheet.height > rows_there * _SIDE else 1.0
    if factor < 1:
        sheet = sheet.resize((max(1, round(sheet.width * factor)), max(1, round(sheet.height * factor))))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _plane(maps: Tensor, stage: StagePlan) -> int | None:
    """Of a block the plane of cells where most is taught."""
    return int(maps.amax(dim=(0, 2, 3)).argmax()) if len(stage.window) == 3 else None


def _slice(maps: Tensor, plane: int | None) -> Tensor:
    return maps if plane is None else maps[:, min(plane, maps.shape[1] - 1)]


def _gray(plane: np.ndarray) -> np.ndarray:
    low, high = np.percentile(plane, [1, 99])
    gray = (np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _hues(count: int) -> np.ndarray:
    """(count, 3) colours that are told apart, 0 to 255."""
    return np.array([colorsys.hsv_to_rgb((0.09 + number / count) % 1, 0.85, 1.0) for number in range(count)]) * 255


def _over(gray: np.ndarray, maps: Tensor, colors: np.ndarray) -> np.ndarray:
    """Maps (channel, y, x) over a window, each in its colour, as strong as they are."""
    large = _as_large(maps, gray).clip(0, 1)
    strong = large.max(0)
    mixed = np.einsum("cyx,ck->yxk", large, colors) / np.maximum(large.sum(0), 1e-6)[..., None]
    return np.asarray(gray * (1 - 0.8 * strong[..., None]) + mixed * 0.8 * strong[..., None]).astype(np.uint8)


def _directions(gray: np.ndarray, fields: Tensor) -> np.ndarray:
    """Fields (2 * edge, y, x) over a window: the hue is where they point, the strength how long they are."""
    large = _as_large(fields, gray)
    y, x = large[0::2].sum(0), large[1::2].sum(0)
    strong = np.hypot(y, x).clip(0, 1)
    turn = (np.arctan2(y, x) / (2 * np.pi)) % 1
    hues = np.array([colorsys.hsv_to_rgb(step / 64, 0.85, 1.0) for step in range(64)]) * 255
    color = hues[(turn * 64).astype(int) % 64]
    return np.asarray(gray * (1 - 0.8 * strong[..., None]) + color * 0.8 * strong[..., None]).astype(np.uint8)


def _as_large(maps: Tensor, gray: np.ndarray) -> np.ndarray:
    size = (gray.shape[0], gray.shape[1])
    return np.asarray(F.interpolate(maps[None].float(), size, mode="nearest")[0].numpy())


def _draw_sides(picture: np.ndarray, lesson: Lesson, number: int, stage: StagePlan, plane: int | None) -> None:
    """Outlines of the boxes whose sides are taught."""
    from PIL import Image, ImageDraw

    assert lesson.extents is not None
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    step = stage.stride("extents")[-2:]
    maps = _slice(lesson.maps[number], plane).amax(0)
    peaks = (maps == F.max_pool2d(maps[None, None], 3, 1, 1)[0, 0]) & (maps > 0.5)
    sides = _slice(lesson.extents[number], plane)[-2:]
    for row, column in peaks.nonzero().tolist():
        half = sides[:, row, column].tolist()
        at = [(cell + 0.5) * size - 0.5 for cell, size in zip((row, column), step, strict=True)]
        pen.rectangle([at[1] - half[1], at[0] - half[0], at[1] + half[1], at[0] + half[0]], outline="#e69f00")
    picture[:] = np.asarray(image)


def _line(length: int, *, across: bool) -> np.ndarray:
    shape = (_GAP, length, 3) if across else (length, _GAP, 3)
    return np.full(shape, 128, np.uint8)
