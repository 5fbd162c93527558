"""Builds the `nn.Module` of an architecture: a plain PyTorch network whose modules are named after the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from archdsl.base.errors import RunError
from archdsl.blocks.base import Tree
from archdsl.blocks.layers.sequence import sequential
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
    return sequential(*((block.path.split(".")[1], make(block)) for block in blocks))


def _new(block: PlacedBlock) -> nn.Module:
    return build_node(block.tree)


def build_node(tree: Tree) -> nn.Module:
    """The module of a tree of blocks; `initialise` has still to draw the weights of its layers."""
    made: nn.Module = tree.call().make()
    return made


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
