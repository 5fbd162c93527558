"""Puts named modules one after the other."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def sequential(*parts: tuple[str, nn.Module]) -> nn.Sequential:
    """Named modules, one after the other."""
    return nn.Sequential(OrderedDict(parts))
