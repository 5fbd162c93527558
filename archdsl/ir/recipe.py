"""Defines a training recipe: the typed form of `train(…)`, with the default of every field."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Recipe(BaseModel):
    """A training recipe; every field can be written in `train(...)`.

    Attributes:
        epochs: passes over the training split.
        batch: images per step.
        lr: peak learning rate of AdamW.
        weight_decay: decoupled weight decay; norms, biases and tables have none.
        warmup: fraction of all steps in which the rate rises linearly from 0; then it falls as a cosine to 0.
        label_smoothing: share of the target spread over all classes.
        clip: largest L2 norm of the gradient, 0 to leave it alone.
        drop_path: rate of the last block; block j of L gets rate * j / (L - 1).
        ema: decay of an exponential moving average of the weights that is evaluated in their place, 0 for none.
        shift: largest random translation of an image, in pixels; 0 for none.
        flip: mirror half of the images, where the data set allows it.
        precision: `auto` is bf16 where the device computes faster in it, else float32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    epochs: int = Field(default=10, ge=1, le=100_000)
    batch: int = Field(default=128, ge=1, le=1_000_000)
    lr: float = Field(default=2e-3, gt=0, le=100)
    weight_decay: float = Field(default=0.05, ge=0, le=100)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    clip: float = Field(default=1.0, ge=0)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    ema: float = Field(default=0.0, ge=0, lt=1)
    shift: int = Field(default=2, ge=0, le=64)
    flip: bool = True
    precision: Literal["auto", "float32", "bf16"] = "auto"
