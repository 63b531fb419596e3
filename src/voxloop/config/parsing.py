"""Settings that are written in several ways: windows, scales, class weights; errors name the nearest that works."""

from __future__ import annotations

from typing import Any, Literal

from voxloop.errors import ConfigError

#: windows of planes are multiples of this in y and x: the coarsest stride of the encoders
WINDOW_STRIDE = 32
#: smallest window zyx of a 3-D network, and largest
SMALLEST_BLOCK, LARGEST_BLOCK = (1, 16, 16), 2048


def parse_window(value: Any) -> str | tuple[int, int, int]:
    """``'auto'``, or a legal window (1, y, x) of planes from text like ``'1,128,128'``, or numbers.

    Raises ConfigError.
    """
    value = _sizes(value, "1,128,128")
    if value == "auto":
        return "auto"
    sizes = [1, value[0], value[0]] if len(value) == 1 else [1, *value] if len(value) == 2 else list(value)
    legal = [1, *(_legal_sizes(size)[0] for size in sizes[1:])]
    if sizes[0] != 1:
        raise ConfigError(
            f"window z={sizes[0]} must be 1 for a network of slices; write {','.join(map(str, legal))} "
            f"and slices={max(1, sizes[0] // 2 * 2 + 1)} to see neighbouring slices"
        )
    for axis, size in zip("yx", sizes[1:], strict=True):
        near = _legal_sizes(size)
        if size not in near:
            raise ConfigError(
                f"window {axis}={size} must be a multiple of {WINDOW_STRIDE} from {2 * WINDOW_STRIDE}; "
                f"nearest {'is' if len(near) == 1 else 'are'} {' and '.join(map(str, near))}"
            )
    return sizes[0], sizes[1], sizes[2]


def parse_block(value: Any) -> str | tuple[int, int, int]:
    """``'auto'``, or a legal window (z, y, x) of a 3-D network from text like ``'32,96,96'``, or numbers.

    One number is a cube. Any size from 1,16,16 on is legal; what is no multiple of the network's stride is padded by
    reflection. Raises ConfigError.
    """
    sizes = _sizes(value, "32,96,96")
    if sizes == "auto":
        return "auto"
    sizes = [sizes[0]] * 3 if len(sizes) == 1 else list(sizes)
    if len(sizes) != 3:
        raise ConfigError(f"{value!r} is no window of a 3-D network; write three sizes zyx like 32,96,96")
    legal = [min(max(size, low), LARGEST_BLOCK) for size, low in zip(sizes, SMALLEST_BLOCK, strict=True)]
    if legal != sizes:
        raise ConfigError(
            f"window {','.join(map(str, sizes))} must lie within {','.join(map(str, SMALLEST_BLOCK))} and "
            f"{LARGEST_BLOCK} voxels a side; nearest is {','.join(map(str, legal))}"
        )
    return sizes[0], sizes[1], sizes[2]


def parse_filters(value: Any) -> tuple[int, ...] | None:
    """Channels of each level from text like ``'28,36,48'``, or numbers; None of nothing. Raises ConfigError."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return None
    parts = value.strip("()[] ").split(",") if isinstance(value, str) else value
    try:
        found = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        raise ConfigError(f"{value!r} are no filters; write channels of each level like 28,36,48,64,80") from None
    if not 1 <= len(found) <= 8 or not all(1 <= channels <= 2048 for channels in found):
        raise ConfigError(f"filters={value!r}: one to eight numbers from 1 to 2048, like 28,36,48,64,80")
    return found


def _sizes(value: Any, example: str) -> Any:
    """``'auto'``, or one to three whole numbers. Raises ConfigError."""
    given = value
    if isinstance(value, str):
        if value.strip().lower() == "auto":
            return "auto"
        try:
            value = [int(part) for part in value.replace("x", ",").replace(" ", ",").split(",") if part]
        except ValueError:
            value = None
    if isinstance(value, int):
        value = [value]
    fits = isinstance(value, list | tuple) and all(isinstance(part, int) for part in value) and 1 <= len(value) <= 3
    if not fits:
        raise ConfigError(f"{given!r} is no window; write 'auto', or sizes zyx like {example}")
    return value


def parse_class_weights(value: Any) -> Literal["none", "auto"] | tuple[float, ...] | dict[str, float]:
    """``'none'``, ``'auto'``, weights in the order of the classes (``'1, 2, 5'``) or by name (``'mito=5'``).

    Raises ConfigError for anything else, and for weights that are negative or all 0.
    """
    given = value
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("none", ""):
            return "none"
        if text.lower() == "auto":
            return "auto"
        parts = [part.strip() for part in text.strip("()[]").split(",") if part.strip()]
        named = all("=" in part for part in parts)
        value = dict(part.rsplit("=", 1) for part in parts) if named else parts
    try:
        if isinstance(value, dict):
            value = {str(name).strip(): float(weight) for name, weight in value.items()}
        else:
            value = tuple(float(weight) for weight in value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"{given!r}; write none, auto, numbers in the order of the classes like 1, 2, 5, or names like mito=5"
        ) from None
    weights = list(value.values()) if isinstance(value, dict) else list(value)
    if not weights or min(weights) < 0 or max(weights) == 0 or not all(weight < 1e6 for weight in weights):
        raise ConfigError(f"{given!r}; weights are numbers from 0, at least one of them above 0")
    return value  # type: ignore[no-any-return]


def parse_scale(value: Any) -> str | float:
    """``'auto'``, or a number from 0.1 to 4. Raises ConfigError."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{value!r} is no scale; write 'auto', or a number like 0.5") from None
    if not 0.1 <= number <= 4:
        raise ConfigError(f"scale={number:g} must lie within 0.1 to 4; nearest is {min(max(number, 0.1), 4):g}")
    return number


def _legal_sizes(size: int) -> list[int]:
    """The legal sizes nearest to ``size``: itself, or those below and above it."""
    below = size // WINDOW_STRIDE * WINDOW_STRIDE
    above = below if below == size else below + WINDOW_STRIDE
    return sorted({max(below, 2 * WINDOW_STRIDE), max(above, 2 * WINDOW_STRIDE)})
