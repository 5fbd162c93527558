"""Shows every unit's input and output map to observers, in one shared forward pass per batch.

Nothing is kept: an observer reduces what it sees to a few numbers while the pass goes on, so memory is that of a plain
forward pass without gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from archdsl.analyses.contract import Observer
from archdsl.analyses.measuring.exact import Batch, check_batches, held_still, memory_guard
from archdsl.base.errors import RunError, UsageError
from archdsl.network.units import Unit, grid_of


def watch(
    model: nn.Module,
    batches: Sequence[Batch],
    units: Sequence[Unit],
    observers: Sequence[Observer],
) -> None:
    """Run every batch once through the model, in eval mode and float32, with all observers looking on.

    Args:
        model: contains a module at each unit's path.
        batches: images (B, C, H, W) and labels, on the model's device.
        units: what to show; observers know them by their index. Of those without a map nothing is shown.
        observers: one per analysis.

    Raises:
        UsageError: a unit is not in the model, or the batches are unusable.
        RunError: a unit was not run or gave no map, or memory ran out.
    """
    check_batches(model, batches)
    if not units:
        raise UsageError("no blocks to look at", "name at least one block of the network")
    modules = [module_of(model, unit) for unit in units]
    spy = _Spy(units, observers)
    handles = [
        handle for index, module in enumerate(modules) if units[index].is_map for handle in spy.attach(index, module)
    ]
    try:
        # no_grad, not inference_mode: a model may build constants it keeps, and those must stay usable in training
        with held_still(model), memory_guard("a forward pass"), torch.no_grad():
            for images, _ in batches:
                model(images)
                spy.end_batch(len(images))
    finally:
        for handle in handles:
            handle.remove()


def module_of(model: nn.Module, unit: Unit) -> nn.Module:
    """The module of a unit.

    Raises:
        UsageError: the model has none of that path.
    """
    try:
        return model.get_submodule(unit.path)
    except AttributeError as error:
        raise UsageError(
            f"the model has no block '{unit.path}'", "the units have to be those of this network"
        ) from error


class _Spy:
    """The hooks: they turn tensors into maps and hand them on."""

    def __init__(self, units: Sequence[Unit], observers: Sequence[Observer]) -> None:
        self.units = units
        self.observers = observers
        self.seen = [0] * len(units)
        self.last: tuple[Tensor, int, Tensor] | None = None  # the latest output, its version, and it as a map

    def attach(self, index: int, module: nn.Module) -> tuple[RemovableHandle, RemovableHandle]:
        """Look on before the unit runs (it may write into its input) and after."""

        def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            image = self._input(inputs[0], self.units[index]) if inputs else None
            for observer in self.observers:
                observer.enter(index, image)

        def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            image = self._output(output, self.units[index])
            self.seen[index] += 1
            for observer in self.observers:
                observer.leave(index, image)

        return module.register_forward_pre_hook(before), module.register_forward_hook(after)

    def end_batch(self, images: int) -> None:
        """Check that every unit ran, and begin anew."""
        self.last = None
        for unit, seen in zip(self.units, self.seen, strict=True):
            if unit.is_map and not seen:
                raise RunError(f"block '{unit.path}' was not run in the forward pass")
        self.seen = [0] * len(self.units)
        for observer in self.observers:
            observer.end_batch(images)

    def _input(self, value: Any, unit: Unit) -> Tensor | None:
        """The map that goes in: the same object as came out of the unit before, if that is what it is."""
        if self.last is not None and value is self.last[0] and value._version == self.last[1]:
            return self.last[2]
        return _map(value, unit)

    def _output(self, value: Any, unit: Unit) -> Tensor:
        image = _map(value, unit)
        if image is None or tuple(image.shape[2:]) != unit.grid:
            described = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise RunError(
                f"block '{unit.path}' gives {described}, not a map of {unit.grid[0]} x {unit.grid[1]}",
                "leave blocks without a spatial output out",
            )
        self.last = (value, value._version, image)
        return image


def _map(value: Any, unit: Unit) -> Tensor | None:
    """A feature map as it is, tokens as the unit's grid says, None for anything else."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    if value.dim() == 3 and value.shape[1] == unit.prefix + unit.grid[0] * unit.grid[1]:
        return grid_of(value, unit)
    return grid_of(value, unit) if value.dim() == 4 else None
