"""Architecture to `nn.Module`: a plain PyTorch network whose modules are named after the spec."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archdsl.base.errors import RunError
from archdsl.blocks.base import Composite, Node, Parallel, Primitive, Residual, Sequence
from archdsl.blocks.layers.parallel import Apart
from archdsl.blocks.layers.parallel import Parallel as ParallelModule
from archdsl.blocks.layers.residual import Residual as ResidualModule
from archdsl.blocks.shapes import Shape
from archdsl.blocks.trees import measure
from archdsl.network import Architecture, PlacedBlock
from archdsl.network.units import Unit

TOO_MANY = 2**36  # parameters, 256 GiB of them


class Network(nn.Module):
    """A compiled spec: `stem`, `stage1` … `stageN`, `head`.

    Args:
        architecture: what to compile.
        module: gives the module of a block, with its weights; by default a new one, whose weights are drawn.

    Attributes:
        architecture: what it was compiled from.
    """

    def __init__(self, architecture: Architecture, module: Callable[[PlacedBlock], nn.Module] | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        make = module or _new
        self.stem = _sequential(architecture.stem, make)
        for number, stage in enumerate(architecture.stages, start=1):
            blocks = (stage.downsampling, *stage.blocks) if stage.downsampling else stage.blocks
            self.add_module(f"stage{number}", _sequential(blocks, make))
        self.head = _sequential(architecture.head, make)
        self.stages = tuple(f"stage{number}" for number in range(1, len(architecture.stages) + 1))
        if module is None:
            initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to what the last stage gives: a map (B, C', H', W') or tokens (B, N, C')."""
        x = self.stem(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        return x

    def forward_head(self, x: Tensor) -> Tensor:
        """Features to logits (B, classes)."""
        return self.head(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, classes)."""
        return self.forward_head(self.forward_features(x))


def build(architecture: Architecture, make: Callable[[Architecture], Network] | None = None) -> Network:
    """The network of an architecture, `make`'s if that is given.

    Raises:
        RunError: there is not enough memory for its weights.
    """
    try:
        if architecture.params > TOO_MANY:  # larger sizes overflow in PyTorch, with messages of many kinds
            raise MemoryError
        return (make or Network)(architecture)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise RunError(
            f"not enough memory for the {architecture.params:,} parameters of '{architecture.name}'",
            "use smaller widths, or state a limit in the file: require params <= …",
        ) from None


def units(network: nn.Module) -> tuple[Unit, ...]:
    """The residual units of a compiled network, for the analyses."""
    architecture = getattr(network, "architecture", None)
    return architecture.units if isinstance(architecture, Architecture) else ()


def _sequential(blocks: tuple[PlacedBlock, ...], make: Callable[[PlacedBlock], nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict((block.path.split(".")[1], make(block)) for block in blocks))


def _new(block: PlacedBlock) -> nn.Module:
    return build_node(block.node, block.x)


def build_node(node: Node, x: Shape) -> nn.Module:
    """The module of a tree of blocks for input shape `x`; `initialise` has still to draw the weights of its layers."""
    if isinstance(node, Primitive):
        with _Undrawn() if node.drawn_by_rule else contextlib.nullcontext():
            return node.build(x)
    if isinstance(node, Composite):
        return build_node(node.expand(x), x)
    if isinstance(node, Sequence):
        return nn.Sequential(OrderedDict(_parts(node.parts, x)))
    if isinstance(node, Parallel):
        branches = [(name, build_node(part, inflow)) for name, part, inflow in node.inner(x)]
        if node.join == "apart":
            grid = next(inflow for _, _, inflow in node.inner(x))
            return Apart(branches, (grid.height, grid.width))
        return ParallelModule(branches, node.join)
    if isinstance(node, Residual):
        parts = _parts(node.parts, x)
        for _, part in node.parts[: node.shared]:
            x = measure(part, x).out
        shortcut = None if node.shortcut is None else build_node(node.shortcut, x)
        for _, part in node.parts[node.shared :]:
            x = measure(part, x).out
        return ResidualModule(parts, shortcut, node.shared, None if node.act is None else build_node(node.act, x))
    raise TypeError(f"not a block: {node!r}")


def _parts(parts: tuple[tuple[str, Node], ...], x: Shape) -> list[tuple[str, nn.Module]]:
    modules = []
    for name, part in parts:
        modules.append((name, build_node(part, x)))
        x = measure(part, x).out
    return modules


class _Undrawn(TorchFunctionMode):
    """Leaves out the draws with which convolutions and linear layers are made: `initialise` draws all of them anew."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.init.kaiming_uniform_ or func is nn.init.uniform_:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _ours(model: nn.Module) -> Iterator[nn.Module]:
    """All modules but those inside of models from elsewhere, which come initialised."""
    yield model
    for child in model.children():
        if type(child).__name__ != "TimmFeatures":  # a name, since importing the class would import timm
            yield from _ours(child)


def initialise(model: nn.Module) -> None:
    """Weights as the field draws them: convolutions by He's rule, linear layers truncated normal, biases zero."""
    for module in _ours(model):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def set_drop_path(model: nn.Module, rate: float) -> None:
    """Gives block j of L (the modules with a number `drop_path`) rate * j / (L - 1), arXiv 1603.09382."""
    blocks: list[Any] = [m for m in model.modules() if isinstance(getattr(m, "drop_path", None), (float, int))]
    for index, block in enumerate(blocks):
        block.drop_path = rate * index / max(1, len(blocks) - 1)
