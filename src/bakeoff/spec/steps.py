"""What is done to images: augmentation of the training images, and preprocessing of all; the code is in data/."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import Field, create_model

from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen


@dataclasses.dataclass(frozen=True)
class Augmentation(Entry[Frozen]):
    """A function of (batch, generator on its device, the step's settings), which gives the augmented batch."""

    mirrors: bool = False
    """It turns left into right, which not all images survive with their label."""


@dataclasses.dataclass(frozen=True)
class Preprocessing(Entry[Frozen]):
    """A step from images to images, whose settings are keyword-only.

    It takes and gives uint8 arrays (N, C, H, W) once, when images are loaded; or, where it only copies pixels, float
    tensors (N, C, H, W) in each batch, after augmentation and normalisation.
    """

    copies: bool = False


def _settings(name: str, **fields: Any) -> type[Frozen]:
    return create_model(name, __base__=Frozen, **fields)


def _number(default: float, **bounds: float) -> Any:
    return type(default), Field(default, **bounds)  # type: ignore[call-overload]


def _augmentation(name: str, *, mirrors: bool = False, **fields: Any) -> Augmentation:
    return Augmentation(f"bakeoff.data.augment:{name}", _settings(name, **fields), mirrors)


def _preprocessing(name: str, *, copies: bool, **fields: Any) -> Preprocessing:
    return Preprocessing(f"bakeoff.data.preprocess:{name}", _settings(name, **fields), copies)


AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augment",
    {
        "rotate": _augmentation("rotate", degrees=_number(10.0, ge=0, le=180)),
        "zoom": _augmentation("zoom", by=_number(0.1, ge=0, lt=1)),
        "shift": _augmentation("shift", by=_number(0.1, ge=0, le=1)),
        "shear": _augmentation("shear", degrees=_number(10.0, ge=0, le=80)),
        "flip": _augmentation("flip", mirrors=True, mode=(Literal["random", "alternating"], "random")),
        "elastic": _augmentation("elastic", alpha=_number(34.0, ge=0, le=10_000), sigma=_number(4.0, gt=0, le=1000)),
        "crop": _augmentation("crop", padding=_number(4, ge=1, le=1024)),
        "cutout": _augmentation("cutout", size=_number(8, ge=1, le=1024), fill=_number(0.0, ge=0, le=255)),
        "brightness": _augmentation("brightness", by=_number(0.2, ge=0, le=1)),
        "contrast": _augmentation("contrast", by=_number(0.2, ge=0, le=1)),
        "noise": _augmentation("noise", deviation=_number(0.05, ge=0, le=1)),
        "mixup": _augmentation("mixup", alpha=_number(0.2, gt=0, le=1000)),
        "cutmix": _augmentation("cutmix", alpha=_number(1.0, gt=0, le=1000)),
    },
    kind=Augmentation,
    group="augmentations",
)

PREPROCESSING: Registry[Preprocessing] = Registry(
    "preprocess",
    {
        "threshold": _preprocessing("threshold", copies=False, at=_number(230, ge=1, le=255)),
        "downscale": _preprocessing("downscale", copies=False, times=_number(2, ge=2, le=64)),
        "repeat": _preprocessing("repeat", copies=True, channels=_number(3, ge=2, le=16)),
        "upscale": _preprocessing("upscale", copies=True, times=_number(2, ge=2, le=16)),
    },
    kind=Preprocessing,
    group="preprocessing",
)
