"""What settings that were left to a training of places became: those that say ``"auto"``. Pure."""

from __future__ import annotations

from voxloop.config.detect import DetectConfig
from voxloop.config.pose import PoseConfig
from voxloop.deep.pose.plan import PlacePlan


def settings_became(asked: PoseConfig | DetectConfig, plan: PlacePlan, tolerance: float) -> dict[str, str | float]:
    """By the name of each setting that was asked for as ``"auto"``, what the plan made of it.

    Parameters
    ----------
    tolerance
        Of a point that counts as found, pixels of the picture.
    """
    first, last = plan.stages[0], plan.stages[-1]
    found: dict[str, str | float] = {
        "encoder": last.backbone.encoder or "plain U-Net",
        "sigma": last.sigma[-1],
    }
    if isinstance(asked, DetectConfig):
        found |= {"window": last.window[-1], "tolerance": tolerance}
    else:
        found |= {"pipeline": plan.pipeline, "input_scale": last.scale[-1]}
        if plan.rotation is not None:
            found["rotation"] = plan.rotation
        if plan.pipeline == "top-down":
            found |= {"crop_size": last.window[-1], "centroid_scale": first.scale[-1]}
    return {name: value for name, value in found.items() if getattr(asked, name) == "auto"}
