"""Moves weights: AdamW, the learning-rate schedule and the moving average."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from archdsl.ir.recipe import Recipe


class AdamW:
    """AdamW over the trainable parameters, fused into one kernel per group.

    The function under `torch.optim.AdamW`, whose class imports PyTorch's compiler when it is first made: as long as a
    small network trains, in every process of a search.

    Only the weights of layers decay: parameters of rank 2 and more named `…weight`, embeddings excepted. Norms, biases
    and whatever stands bare in a module (position tables, class tokens, relative biases, scales) do not. timm has a
    helper for this, but it would load timm (two seconds) and decays tables unless each model lists them.

    Attributes:
        groups: parameters, those that decay first, and by how much they do.
        state: by parameter, once it had a gradient: the number of steps (`step`) and the averages of its gradient
            (`exp_avg`) and of the gradient's square (`exp_avg_sq`).
        lr: learning rate of the next step.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        embeddings = {id(m.weight) for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
        decayed: list[Tensor] = []
        others: list[Tensor] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                is_weight = parameter.ndim >= 2 and name.endswith("weight") and id(parameter) not in embeddings
                (decayed if is_weight else others).append(parameter)
        self.groups = ((decayed, recipe.weight_decay), (others, 0.0))
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.lr = recipe.lr

    def parameters(self) -> list[Tensor]:
        """All that is trained."""
        return [parameter for parameters, _ in self.groups for parameter in parameters]

    def zero_grad(self) -> None:
        """Lets go of all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        for parameters, decay in self.groups:
            moved = [parameter for parameter in parameters if parameter.grad is not None]
            states = [self.state.get(parameter) or self._begin(parameter) for parameter in moved]
            steps, means, squares = ([state[key] for state in states] for key in ("step", "exp_avg", "exp_avg_sq"))
            gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
            adamw(
                moved, gradients, means, squares, [], steps, fused=True, amsgrad=False, maximize=False,
                beta1=0.9, beta2=0.999, eps=1e-8, lr=self.lr, weight_decay=decay,
            )  # fmt: skip

    def _begin(self, parameter: Tensor) -> dict[str, Tensor]:
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        self.state[parameter] = {
            "step": step, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)
        }  # fmt: skip
        return self.state[parameter]


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
