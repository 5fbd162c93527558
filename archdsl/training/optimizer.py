"""Moves weights: AdamW's groups, the learning-rate schedule and the moving average."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.ir.recipe import Recipe


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, fused into one kernel per group.

    Only the weights of layers decay: parameters of rank 2 and more named `…weight`, embeddings excepted. Norms, biases
    and whatever stands bare in a module (position tables, class tokens, relative biases, scales) do not. timm has a
    helper for this, but it would load timm (two seconds) and decays tables unless each model lists them.
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    decayed: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_weight = parameter.ndim >= 2 and name.endswith("weight") and id(parameter) not in embeddings
            (decayed if is_weight else others).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": parameters, "weight_decay": decay}
        for parameters, decay in ((decayed, recipe.weight_decay), (others, 0.0))
        if parameters
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)


def learning_rate(step: int, total: int, recipe: Recipe) -> float:
    """Rate of step 0 … total - 1: a linear rise over the warm-up, then half a cosine down towards 0.

    >>> [round(learning_rate(step, 10, Recipe(lr=1.0, warmup=0.2)), 2) for step in range(10)]
    [0.33, 0.67, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    warmup = round(recipe.warmup * total)
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


class Average:
    """An exponential moving average of a network's weights and running statistics.

    The decay starts low, min(decay, (1 + t) / (10 + t)), or short trainings would average their initial weights.
    `torch.optim.swa_utils.AveragedModel` does the same but reads its step count from the device every step.

    Args:
        model: the network to follow; a copy of it is made.
        decay: of the average per step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        mine, theirs = self.model.state_dict(), model.state_dict()
        self._pairs = [(mine[k], theirs[k]) for k in mine if mine[k].is_floating_point()]
        self._counters = [(mine[k], theirs[k]) for k in mine if not mine[k].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after step number `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, weights = zip(*self._pairs, strict=True)
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for mine, theirs in self._counters:
            mine.copy_(theirs)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Writes the averaged weights into a network of the same kind."""
        model.load_state_dict(self.model.state_dict())
