"""What packages do to intensities, as one clip and one straight line for each channel. Knows no files and no torch.

A package may measure each picture by itself; tiles treated so would not fit each other. What it would measure is
measured once instead, on an image or by the caller, and is then the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from voxloop.errors import ModelError

#: intensities (c, n) of an image
Sample = Callable[[], np.ndarray]
#: steps that are known here
STEPS = (
    "ensure_dtype", "scale_linear", "fixed_zero_mean_unit_variance", "zero_mean_unit_variance", "scale_range", "clip",
)  # fmt: skip
_DEGENERATE = 1e-12


def normalisation_of(
    steps: Sequence[Any],
    axes: Sequence[Any],
    *,
    tensor: str,
    sample: Sample | None,
    statistics: Any = None,
    remedy: str = "",
) -> tuple[dict[str, Any], str]:
    """The normalisation of a spec for the preprocessing of a package, and what was measured for it, in words.

    Parameters
    ----------
    steps, axes, tensor
        Of the package's input, and its id.
    sample
        Gives intensities (c, n) of the image to measure; called once, where something is to be measured.
    statistics
        What the one step that measures would find: mean and deviation, or the lower and the upper value.
    remedy
        What to do where nothing is given to measure.

    Raises
    ------
    ModelError
        A step is not known here, works along a line or a plane of the picture, or there is nothing to measure.
    """
    channel = next((str(axis.id) for axis in axes if axis.type == "channel"), "channel")
    count = next((len(axis.channel_names) for axis in axes if axis.type == "channel"), 1)
    picture = {str(axis.id) for axis in axes if axis.type == "space" and axis.size != 1}
    line = _Line(count)
    measuring = [step for step in steps if _measures(step)]
    if measuring and sample is None and (statistics is None or len(measuring) > 1):
        names = ", ".join(step.id for step in measuring)
        raise ModelError(
            f"this package measures each picture by itself ({names}), so tiles would not fit each other; give an image "
            f"that is measured once, for all of them: {remedy}"
        )
    raw = sample() if measuring and statistics is None and sample is not None else None
    if raw is not None and len(raw) != count:
        raise ModelError(f"this network takes {count} channel(s), the image to measure has {len(raw)}")
    said: list[str] = []

    def measured(step: Any, how: Callable[[np.ndarray], Any]) -> tuple[np.ndarray, np.ndarray]:
        if raw is None:
            return _given(statistics, count, step.id)
        given = raw if str(getattr(step.kwargs, "reference_tensor", None)) == tensor else line(raw)
        over = {str(axis) for axis in step.kwargs.axes} if step.kwargs.axes else picture | {channel}
        if not picture <= over:
            raise ModelError(
                f"this package measures along {', '.join(sorted(over & picture)) or 'no axis'} of a picture alone "
                f"({step.id}), which cannot be made the same for all tiles"
            )
        known = [values[np.isfinite(values)] for values in (given.reshape(1, -1) if channel in over else given)]
        if any(len(values) == 0 for values in known):
            raise ModelError("the image to measure holds no numbers (NaN or infinite) in a channel; give another one")
        first, second = np.transpose([how(values.astype(np.float64)) for values in known])
        return np.broadcast_to(first, count), np.broadcast_to(second, count)

    for step in steps:
        kwargs = step.kwargs
        if step.id not in STEPS:
            raise ModelError(
                f"this package prepares pictures in a way that is not known here: {step.id}; known are "
                f"{', '.join(STEPS)}"
            )
        if step.id == "ensure_dtype":
            if not kwargs.dtype.startswith("float"):
                raise ModelError(
                    f"this package rounds intensities to {kwargs.dtype} before the network (ensure_dtype), which is "
                    "not done here; float32 works"
                )
        elif step.id == "scale_linear":
            _along(kwargs, channel, step.id)
            line.scale(kwargs.gain, kwargs.offset)
        elif step.id == "fixed_zero_mean_unit_variance":
            _along(kwargs, channel, step.id)
            line.normalise(kwargs.mean, kwargs.std)
        elif step.id == "zero_mean_unit_variance":
            mean, deviation = measured(step, lambda values: (values.mean(), values.std()))
            said.append(f"mean {_listed(mean)} and deviation {_listed(deviation)}")
            line.normalise(mean, deviation + kwargs.eps)
        elif step.id == "scale_range":
            shares = [kwargs.min_percentile, kwargs.max_percentile]
            low, high = measured(step, lambda values, shares=shares: np.percentile(values, shares))  # type: ignore[misc]
            said.append(f"percentiles {shares[0]:g} at {_listed(low)} and {shares[1]:g} at {_listed(high)}")
            line.normalise(low, high - low + kwargs.eps)
        elif not _measures(step):
            line.clip(kwargs.min, kwargs.max)
        else:
            shares = [kwargs.min_percentile or 0.0, kwargs.max_percentile or 100.0]
            low, high = measured(step, lambda values, shares=shares: np.percentile(values, shares))  # type: ignore[misc]
            said.append(f"cut off at {_listed(low)} and {_listed(high)}")
            line.clip(
                low if kwargs.min_percentile is not None else kwargs.min,
                high if kwargs.max_percentile is not None else kwargs.max,
            )
    return line.to_json(), "; ".join(said)


class _Line:
    """``gain * clip(x, low, high) + offset`` for each channel, to which steps are added at its end."""

    def __init__(self, channels: int) -> None:
        self.gain, self.offset = np.ones(channels), np.zeros(channels)
        self.low, self.high = np.full(channels, -np.inf), np.full(channels, np.inf)

    def scale(self, gain: Any, offset: Any) -> None:
        gain, offset = self._each(gain), self._each(offset)
        if (np.abs(gain) < _DEGENERATE).any():
            raise ModelError("this package makes all intensities of a channel the same (gain 0 or no contrast)")
        self.gain, self.offset = self.gain * gain, self.offset * gain + offset

    def normalise(self, mean: Any, deviation: Any) -> None:
        self.scale(1 / self._each(deviation), -self._each(mean) / self._each(deviation))

    def clip(self, low: Any, high: Any) -> None:
        """Bounds in what has become of intensities; None is none."""
        ends = [
            (self._each(bound) - self.offset) / self.gain
            for bound in (-np.inf if low is None else low, np.inf if high is None else high)
        ]
        lower, upper = np.minimum(*ends), np.maximum(*ends)
        self.low, self.high = np.clip(lower, self.low, self.high), np.clip(upper, self.low, self.high)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Intensities (c, n)."""
        clipped = np.clip(values.astype(np.float64), self.low[:, None], self.high[:, None])
        found: np.ndarray = clipped * self.gain[:, None] + self.offset[:, None]
        return found

    def to_json(self) -> dict[str, Any]:
        """The normalisation of a spec; ``low`` and ``high`` where intensities are cut off (None: not there)."""
        found: dict[str, Any] = {
            "kind": "mean_deviation",
            "mean": (-self.offset / self.gain).tolist(),
            "deviation": (1 / self.gain).tolist(),
        }
        for name, bounds in (("low", self.low), ("high", self.high)):
            if np.isfinite(bounds).any():
                found[name] = [float(bound) if np.isfinite(bound) else None for bound in bounds]
        return found

    def _each(self, value: Any) -> np.ndarray:
        values = np.atleast_1d(np.asarray(value, np.float64))
        if values.size not in (1, len(self.gain)):
            raise ModelError(f"this package has numbers for {values.size} channels and takes {len(self.gain)}")
        return np.broadcast_to(values, self.gain.shape)


def _measures(step: Any) -> bool:
    """Whether a step depends on the picture that it is given."""
    percentiles = (getattr(step.kwargs, name, None) is not None for name in ("min_percentile", "max_percentile"))
    return step.id in ("zero_mean_unit_variance", "scale_range") or (step.id == "clip" and any(percentiles))


def _along(kwargs: Any, channel: str, step: str) -> None:
    axis = getattr(kwargs, "axis", None)
    if axis is not None and str(axis) != channel:
        raise ModelError(f"this package has other numbers for each {axis} ({step}); only channels may differ")


def _given(statistics: Any, channels: int, step: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        first, second = (np.broadcast_to(np.asarray(part, np.float64), channels) for part in statistics)
    except (TypeError, ValueError):
        raise ModelError(
            f"statistics={statistics!r}: {step} takes two numbers, "
            f"{'(mean, deviation)' if step == 'zero_mean_unit_variance' else '(lower value, upper value)'}, or two "
            f"lists of {channels}, one for each channel"
        ) from None
    return first, second


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in dict.fromkeys(values.tolist()))
