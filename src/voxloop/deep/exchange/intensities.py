"""What packages do to intensities, as one clip and one straight line for each channel. Knows no files and no torch.

A package may measure each picture by itself; tiles treated so would not fit each other. What it would measure is
measured once instead, on an image or by the caller, and is then the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.model import ModelSpec

#: intensities (c, n) of an image
Sample = Callable[[], np.ndarray]
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
    work = _Work(axes, tensor, statistics)
    measuring = [step for step in steps if _measures(step)]
    if measuring and sample is None and (statistics is None or len(measuring) > 1):
        names = ", ".join(step.id for step in measuring)
        raise ModelError(
            f"this package measures each picture by itself ({names}), so tiles would not fit each other; give an image "
            f"that is measured once, for all of them: {remedy}"
        )
    if measuring and statistics is None and sample is not None:
        work.look_at(sample())
    for step in steps:
        if step.id not in STEPS:
            raise ModelError(
                f"this package prepares pictures in a way that is not known here: {step.id}; known are "
                f"{', '.join(STEPS)}"
            )
        STEPS[step.id](work, step)
    return work.line.to_json(), "; ".join(work.measured)


class _Work:
    """What has become of intensities so far, what was measured for it in words, and how to measure more."""

    def __init__(self, axes: Sequence[Any], tensor: str, statistics: Any) -> None:
        self.channel = next((str(axis.id) for axis in axes if axis.type == "channel"), "channel")
        self.channels = next((len(axis.channel_names) for axis in axes if axis.type == "channel"), 1)
        self._picture = {str(axis.id) for axis in axes if axis.type == "space" and axis.size != 1}
        self._tensor, self._statistics = tensor, statistics
        self._raw: np.ndarray | None = None
        self.line = _Line(self.channels)
        self.measured: list[str] = []

    def look_at(self, raw: np.ndarray) -> None:
        """Measure these intensities (c, n). Raises ModelError where their channels are not the network's."""
        if len(raw) != self.channels:
            raise ModelError(f"this network takes {self.channels} channel(s), the image to measure has {len(raw)}")
        self._raw = raw

    def measure(self, step: Any, how: Callable[[np.ndarray], Any]) -> tuple[np.ndarray, np.ndarray]:
        """Two numbers for each channel: those of ``how``, or what the caller gave instead."""
        if self._raw is None:
            return _given(self._statistics, self.channels, step.id)
        on_input = str(getattr(step.kwargs, "reference_tensor", None)) == self._tensor
        intensities = self._raw if on_input else self.line(self._raw)
        over = {str(axis) for axis in step.kwargs.axes} if step.kwargs.axes else self._picture | {self.channel}
        if not self._picture <= over:
            raise ModelError(
                f"this package measures along {', '.join(sorted(over & self._picture)) or 'no axis'} of a picture "
                f"alone ({step.id}), which cannot be made the same for all tiles"
            )
        groups = intensities.reshape(1, -1) if self.channel in over else intensities
        finite = [values[np.isfinite(values)] for values in groups]
        if any(len(values) == 0 for values in finite):
            raise ModelError("the image to measure holds no numbers (NaN or infinite) in a channel; give another one")
        first, second = np.transpose([how(values.astype(np.float64)) for values in finite])
        return np.broadcast_to(first, self.channels), np.broadcast_to(second, self.channels)

    def percentiles(self, step: Any, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """The intensities of each channel below which ``low`` and ``high`` per cent lie."""
        return self.measure(step, lambda values: np.percentile(values, [low, high]))


def _ensure_dtype(work: _Work, step: Any) -> None:
    if not step.kwargs.dtype.startswith("float"):
        raise ModelError(
            f"this package rounds intensities to {step.kwargs.dtype} before the network (ensure_dtype), which is "
            "not done here; float32 works"
        )


def _scale_linear(work: _Work, step: Any) -> None:
    _along(step.kwargs, work.channel, step.id)
    work.line.scale(step.kwargs.gain, step.kwargs.offset)


def _fixed(work: _Work, step: Any) -> None:
    _along(step.kwargs, work.channel, step.id)
    work.line.normalise(step.kwargs.mean, step.kwargs.std)


def _zero_mean(work: _Work, step: Any) -> None:
    mean, deviation = work.measure(step, lambda values: (values.mean(), values.std()))
    work.measured.append(f"mean {_listed(mean)} and deviation {_listed(deviation)}")
    work.line.normalise(mean, deviation + step.kwargs.eps)


def _scale_range(work: _Work, step: Any) -> None:
    least, most = step.kwargs.min_percentile, step.kwargs.max_percentile
    low, high = work.percentiles(step, least, most)
    work.measured.append(f"percentiles {least:g} at {_listed(low)} and {most:g} at {_listed(high)}")
    work.line.normalise(low, high - low + step.kwargs.eps)


def _clip(work: _Work, step: Any) -> None:
    kwargs = step.kwargs
    if not _measures(step):
        work.line.clip(kwargs.min, kwargs.max)
        return
    low, high = work.percentiles(step, kwargs.min_percentile or 0.0, kwargs.max_percentile or 100.0)
    work.measured.append(f"cut off at {_listed(low)} and {_listed(high)}")
    work.line.clip(
        kwargs.min if kwargs.min_percentile is None else low,
        kwargs.max if kwargs.max_percentile is None else high,
    )


#: what each step that is known here does
STEPS: dict[str, Callable[[_Work, Any], None]] = {
    "ensure_dtype": _ensure_dtype,
    "scale_linear": _scale_linear,
    "fixed_zero_mean_unit_variance": _fixed,
    "zero_mean_unit_variance": _zero_mean,
    "scale_range": _scale_range,
    "clip": _clip,
}


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


def exposure_words(spec: ModelSpec) -> str:
    """What a user of the package must do by hand, where every picture is to be brought to one exposure."""
    reference = spec.normalisation.get("exposure")
    if not reference:
        return ""
    levels = ", ".join(f"{low:g} and {high:g}" for low, high in zip(reference["low"], reference["high"], strict=True))
    return (
        " Before that, bring each picture to the same exposure, which this package does not do by itself: its 1st and "
        f"99.8th percentile to {levels}."
    )
