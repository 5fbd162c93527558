"""Weights of published models, as timm and torchvision name them, into compiled specs."""

from __future__ import annotations

from archdsl.interchange.pretrained.load import load_timm

__all__ = ["load_timm"]
