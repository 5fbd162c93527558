"""Leaves out the draws with which PyTorch makes convolutions and linear layers."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode


class Undrawn(TorchFunctionMode):
    """A context for layers whose weights `archdsl.network.model.initialise` draws: drawing them twice takes long."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every function of PyTorch but those draws."""
        if func is nn.init.kaiming_uniform_ or func is nn.init.uniform_:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
