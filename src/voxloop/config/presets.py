"""Settings of the learners that are worth a name: ours, and those that other systems begin with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from voxloop.config.augment import Augmentation
from voxloop.config.base import Config, differences, flat
from voxloop.config.deep import DeepConfig
from voxloop.config.place_presets import PLACE_PRESETS, PLACE_PURPOSES
from voxloop.config.preset_origins import ORIGINS
from voxloop.config.shallow import ShallowConfig
from voxloop.errors import ConfigError, unknown


class Presets(Mapping[str, Config]):
    """Presets by name; each is a config, so ``presets["quick"].changed(epochs=5)`` is one too.

    Those of pixel classifiers are a :class:`ShallowConfig`, those of networks of masks a :class:`DeepConfig`, those of
    animals, of points and boxes, and of pictures a :class:`PoseConfig`, :class:`DetectConfig`, :class:`PictureConfig`.

    Examples
    --------
    >>> vl.presets["quick"].changed(epochs=5).epochs
    5
    >>> print(vl.presets.about("thin membranes"))
    full size and a wider decoder, so that walls of a voxel or two stay: membranes, cell walls; ...
    """

    def __init__(self, presets: Mapping[str, tuple[Config, str]]) -> None:
        self._presets = dict(presets)

    def __getitem__(self, name: str) -> Config:
        if name not in self:
            raise ConfigError(unknown("preset", name, self._presets))
        return self._presets[name][0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._presets

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)

    @property
    def purposes(self) -> dict[str, str]:
        """Presets that are for a purpose, which is their title; the others are what other programs begin with."""
        return {name: PURPOSES[name] for name in self if name in PURPOSES}

    def differs(self, name: str) -> tuple[str, ...]:
        """What a preset that is named after another program has that is not as there, in words; none of our own."""
        self[name]  # says what is wrong with the name
        return ORIGINS[name].differs if name in ORIGINS else ()

    def about(self, name: str) -> str:
        """One line on where a preset comes from and what it is for."""
        self[name]  # says what is wrong with the name
        return self._presets[name][1]


#: what each preset of ours is for
PURPOSES = {
    "auto": "Recommended",
    "quick": "Quick look",
    "thin membranes": "Thin membranes",
    "round cells": "Round cells that touch",
    "many small objects": "Many small objects",
    "large 3-D": "Large 3-D",
    "usual": "As most programs begin",
    "classifier": "Recommended",
    "thin walls": "Thin membranes",
    "compact organelles": "Round, compact objects",
    **PLACE_PURPOSES,
}


def nearest(config: Config) -> tuple[str | None, Config]:
    """The preset that a config differs least from, by name; None with the defaults of its class where these are."""
    kind = type(config)
    known = [(None, kind()), *((name, preset) for name, preset in presets.items() if type(preset) is kind)]
    wanted = flat(config.model_dump())

    def differ(one: tuple[str | None, Config]) -> int:
        return sum(value != wanted[name] for name, value in flat(one[1].model_dump()).items())

    return min(known, key=differ)


def code_of(config: Config, module: str = "vl") -> str:
    """The line of Python that makes a config: a preset or the defaults, and what differs from them."""
    name, base = nearest(config)
    if name is None:
        return config.code(module)
    changes = ", ".join(differences(config, base))
    return f"{module}.presets[{name!r}]" + (f".changed({changes})" if changes else "")


def _anatomics(**settings: Any) -> DeepConfig:
    """What all configurations of Anatomics MLT share; it validates nothing, so nothing is held out."""
    return DeepConfig(
        levels=5,
        scale=1,
        batch_size=1,
        steps_per_epoch=5000,
        keep_every=1,
        learning_rate=1e-4,
        warmup_steps=1000,
        optimiser="SGD",
        momentum=0.9,
        weight_decay=1e-4,
        gradient_clip=0,
        average_weights=0,
        validation_share=0,
        patience=0,
        teacher="none",
        augmentation=Augmentation.only(
            flip={"probability": 0.5},
            quarter={},
            affine={"probability": 0.5, "rotation": 0, "shear": 0},
            elastic={"probability": 0.75, "strength": (4, 16)},
            gamma={"probability": 0.75},
            contrast={"probability": 0.75},
            brightness={"probability": 0.75},
            noise={"probability": 0.75},
            motion_blur={"probability": 0.5},
            missing_parts={"probability": 0.9},
            missing_section={"probability": 0.5},
            misaligned={"probability": 0.5, "shift": (1, 16)},
            cut_blur={"probability": 0.5},
            cut_noise={"probability": 0.75},
        ),
        **settings,
    )


_ANATOMICS_3D = {
    "architecture": "DynUNet", "filters": (28, 36, 48, 64, 80), "residual": True, "normalisation": "batch",
    "window": (3, 129, 129), "iterations": 100_000, "schedule": "cosine",
}  # fmt: skip
_ANATOMICS_2D = {
    "architecture": "Unet", "encoder": "resnet18", "decoder_width": 0.5, "window": (1, 256, 256),
    "schedule": "step", "step_epochs": 8, "drop_factor": 0.1,
}  # fmt: skip

#: small steps that come fast: on two cores this learns more a minute than what is usual (docs/benchmarks.md)
AUTO = DeepConfig(batch_size=4, learning_rate=2e-3, scale="auto", class_weights="none", epochs=200, max_minutes=6)

presets = Presets({
    "auto": (AUTO, "what we recommend: a small network that learns from a few strokes in minutes, on a CPU too"),
    "quick": (
        AUTO.changed(
            window=(1, 128, 128), decoder_width=0.25, epochs=40, steps_per_epoch=15, max_minutes=1.5,
        ),
        "a first result within two minutes: workshops, quick looks",
    ),
    "thin membranes": (
        AUTO.changed(scale=1, levels=4, decoder_width=0.5, max_minutes=12),
        "full size and a wider decoder, so that walls of a voxel or two stay: membranes, cell walls; about half "
        "as fast as auto",
    ),
    "round cells": (
        AUTO.changed(target="flow", scale=1, max_minutes=12),
        "separate objects by arrows to the middle of each, as in Cellpose: touching cells and nuclei that are about "
        "convex; learns on a level of single objects",
    ),
    "many small objects": (
        AUTO.changed(scale=1, levels=4, window=(1, 128, 128), batch_size=8, negatives=0.25, max_minutes=12),
        "small windows at full size, a quarter of them where there is nothing: vesicles, synapses, nuclei far apart",
    ),
    "large 3-D": (
        AUTO.changed(architecture="UNet3d", learning_rate=1e-3, max_minutes=20),
        "a 3-D U-Net on blocks, for stacks that planes alone do not tell; slower a step, and wants labels on several "
        "slices",
    ),
    "usual": (
        DeepConfig(),
        "the defaults of vl.DeepConfig: batch 8, full size, weighted classes, 100 epochs, as most systems begin; on a "
        "CPU auto learns more a minute",
    ),
    "studio-upernet": (
        DeepConfig(
            architecture="UPerNet", encoder="tu-convnext_base", encoder_weights="imagenet", encoder_rate=1,
            intensities="imagenet", decoder_width=1, window=(1, 512, 512), batch_size=8, scale=1, epochs=10,
            learning_rate=1e-3, schedule="constant", warmup_steps=0, patience=0, average_weights=0, gradient_clip=0,
            cross_entropy=1, dice=0, class_weights="none", teacher="none", augmentation=Augmentation.none(),
        ),
        "UPerNet with ConvNeXt-base, batch 8, 10 epochs, tiles of 512: Studio AI's only network",
    ),
    "sleap-unet": (
        DeepConfig(
            architecture="Unet", encoder="resnet18", decoder_width=1, scale=1, batch_size=4, epochs=200,
            steps_per_epoch=200, learning_rate=1e-4, schedule="plateau", drop_factor=0.5, plateau_patience=5,
            lowest_rate=1e-8, warmup_steps=0, optimiser="Adam", weight_decay=0, gradient_clip=0, average_weights=0,
            cross_entropy=1, dice=0, class_weights="none", validation_share=0.1, patience=10, best_by="loss",
            min_delta=1e-8, plateau_cooldown=3, levels=4, teacher="none",
            augmentation=Augmentation.only(affine={"probability": 1, "rotation": 15, "scale": (1, 1), "shear": 0}),
        ),
        "U-Net from scratch, Adam 1e-4, plateau, early stop after 10, turned by 15 degrees: SLEAP's baseline profile",
    ),
    "mia-unet": (
        DeepConfig(
            architecture="Unet", encoder="resnet50", encoder_weights="imagenet", encoder_rate=1,
            decoder_width=1, window=(1, 224, 224),
            scale=1, batch_size=8, epochs=100, learning_rate=1e-3, schedule="plateau", drop_factor=0.2,
            plateau_patience=5, lowest_rate=1e-6, warmup_steps=0, optimiser="Adam", weight_decay=0, gradient_clip=0,
            average_weights=0, cross_entropy=0, dice=0, focal=1, focal_gamma=2, class_weights="none",
            validation_share=0.15, patience=0, intensities="range", prefer_labelled=5, teacher="none",
            augmentation=Augmentation.only(
                flip={}, blur={"probability": 0.4}, elastic={"probability": 0.3}, cutout={"probability": 0.3},
                affine={"probability": 0.5, "rotation": 45, "scale": (0.8, 1.2), "shear": 16},
            ),
        ),
        "U-Net with ResNet-50 and ImageNet weights, windows of 224, Adam, focal loss, plateau: MIA's training window",
    ),
    "survos-multi-axis": (
        DeepConfig(
            architecture="Unet", encoder="resnet34", encoder_weights="imagenet", encoder_rate=1,
            decoder_width=1, window=(1, 256, 256),
            axes="zyx", scale=1, batch_size=12, class_weights="none",
            epochs=13, freeze_encoder_epochs=8, unfrozen_rate=0.1, schedule="one-cycle", learning_rate=1e-3,
            warmup_steps=0, lowest_rate=0, gradient_clip=0, patience=3, cross_entropy=0, dice=1,
            validation_share=0.2, average_weights=0, best_by="loss",
            clip_deviations=2.575, teacher="none",
            augmentation=Augmentation.only(
                flip={}, quarter={}, elastic={}, contrast={}, brightness={}, gamma={}, local_contrast={},
            ),
        ),
        "U-Net with ResNet-34 and ImageNet weights, Dice, 8 epochs with the encoder frozen and 5 without: SuRVoS2's "
        "slice network, on slices across z, y and x; predict with votes=3, or 12",
    ),
    "classifier": (
        ShallowConfig(),
        "what we recommend where seconds count: filters and a small perceptron, voxel by voxel; what they are blended "
        "from is chosen by strokes held out",
    ),
    "as in ilastik": (
        ShallowConfig(
            classifier="random forest", trees=100, depth=None, leaf=1, class_weights="none", choose="fixed",
        ),
        "a random forest of 100 trees, all samples weigh the same, nothing is smoothed: ilastik's pixel classification",
    ),
    "compact organelles": (
        ShallowConfig(unit="supervoxels", classifier="forest", refine="edge", choose="fixed"),
        "supervoxels, a forest, neighbours that agree unless an edge parts them: mitochondria, chloroplasts, nuclei",
    ),
    "thin walls": (
        ShallowConfig(dimensions="3d", classifier="blend", choose="fixed"),
        "filters through the stack and no smoothing, so that membranes and walls of a voxel or two stay",
    ),
    "survos-supervoxels": (
        ShallowConfig(
            unit="supervoxels", supervoxel_size=10, compactness=20, descriptor="mean", classifier="random forest",
            trees=100, depth=None, leaf=1, refine="none", choose="fixed",
        ),
        "a random forest of 100 trees on supervoxels of 10 voxels, known by the mean of their features: SuRVoS's "
        "training screen as it opens",
    ),
    "anatomics-semantic3d": (
        _anatomics(**_ANATOMICS_3D, target="semantic", bce=1, cross_entropy=0, dice=0.5, class_weights="auto"),
        "3-D U-Net with shortcuts, windows of 3 x 129 x 129, batch 1, SGD with warm-up and cosine, 100,000 iterations, "
        "weighted BCE and Dice: Anatomics MLT's Semantic3D (PyTorch Connectomics)",
    ),
    "anatomics-instance3d": (
        _anatomics(**_ANATOMICS_3D, target="instances", class_weights="none"),
        "the same network on separate objects: Anatomics MLT's Instance3D, with foreground, boundary and depth for its "
        "mask and contour",
    ),
    "anatomics-semantic2d": (
        _anatomics(
            **_ANATOMICS_2D, target="semantic", iterations=50_000, cross_entropy=1, dice=0, class_weights="auto",
        ),
        "U-Net on planes, batch 1, SGD with warm-up, 50,000 iterations, weighted cross-entropy: Anatomics MLT's "
        "Semantic2D",
    ),
    "anatomics-instance2d": (
        _anatomics(**_ANATOMICS_2D, iterations=100_000, target="instances", class_weights="none"),
        "the same network on separate objects in planes: Anatomics MLT's Instance2D",
    ),
    **PLACE_PRESETS,
})  # fmt: skip
