"""Defines what a block is: typed arguments, and the tree of primitives that they make of an input shape.

Shapes, parameters and MACs are on the tree before PyTorch is imported; `archdsl.network.model` makes the modules from
the same tree, so the two cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from archdsl.blocks.calls import ByRule, Call
from archdsl.blocks.shapes import Shape
from archdsl.ir import Scalar

Role: TypeAlias = Literal["conv", "msa", "mlp"]
Join: TypeAlias = Literal["sum", "concat", "apart"]


class Block(BaseModel):
    """One block with all its arguments; the fields are the arguments, their defaults the defaults.

    A field `width` receives the stage's width and a field `stride` the stage's stride (in its first block) unless
    the spec says otherwise. A block without `stride` cannot stride: a downsampling layer is put before it.

    Class attributes:
        kind_name: the name it is registered by.
        positional: names of the arguments that may be given without a name, in order.
        summary: one line for documentation and editors.
    """

    # Schemas are built when first used: most files use few of the blocks.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
    kind_name: ClassVar[str] = ""
    positional: ClassVar[tuple[str, ...]] = ()
    summary: ClassVar[str] = ""

    @classmethod
    def takes(cls, argument: str) -> bool:
        """Whether the block has this argument."""
        return argument in cls.__pydantic_fields__  # `model_fields` asks the metaclass for it every time

    @property
    def values(self) -> Mapping[str, Scalar]:
        """All of its arguments."""
        return dict(self)

    def tree(self, x: Shape) -> Tree:
        """The tree of primitives it stands for, given its input shape.

        Raises:
            ShapeError: the block does not fit.
        """
        raise TypeError(f"{type(self).__name__} makes no tree")


class Primitive(Block):
    """A block with rules of its own: one PyTorch module.

    Class attributes:
        module_name: what the module is called inside a composite block; by default as the block.
        drawn_by_rule: whether all of its `nn.Conv2d` and `nn.Linear` get their weights by our own rule
            (`archdsl.network.model.initialise`), so that drawing them when they are made would be for nothing.
    """

    module_name: ClassVar[str] = ""
    drawn_by_rule: ClassVar[bool] = False

    @property
    def role(self) -> Role | None:
        """How it mixes positions: by convolution or pooling, by attention, by a matrix; None where it does not."""
        return None

    def said(self, x: Shape) -> dict[str, Any]:
        """What tells this block from one with defaults alone, for the hash; a default spelled out says nothing."""
        return self.model_dump(exclude_defaults=True)

    def output(self, x: Shape) -> Shape:
        """The output shape for input shape `x`.

        Raises:
            ShapeError: the block does not fit.
        """
        return x

    def params(self, x: Shape) -> int:
        """Learnable parameters; buffers do not count."""
        return 0

    def macs(self, x: Shape) -> int:
        """Multiply-accumulates of matrix products for one example; element-wise work counts nothing."""
        return 0

    def call(self, x: Shape) -> Call:
        """The call that makes its PyTorch module for input shape `x`; Python source is written from it, too."""
        return Call(self.build, x)

    def build(self, x: Shape) -> Any:
        """The `nn.Module` for input shape `x`, for blocks that give no `call`; they cannot be written as Python."""
        raise TypeError(f"{type(self).__name__} makes no module: it needs a method 'call' or 'build'")

    def tree(self, x: Shape) -> Tree:
        """A leaf."""
        meaning = canonical([self.kind_name, self.said(x)])
        return Leaf(x, self.output(x), self.params(x), self.macs(x), 1, meaning, (), self)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical(content: Any) -> str:
    """Plain data in canonical JSON, of which hashes are made."""
    return _CANONICAL.encode(content)


Parts: TypeAlias = "tuple[tuple[str, Tree], ...]"


# ---- trees -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tree:
    """A block where something flows in.

    Attributes:
        x, out: shapes that flow in and out.
        params, macs: learnable parameters; multiply-accumulates for one example.
        size: how many primitives there are in it, those of shortcuts left out.
        meaning: what it computes in canonical JSON, the items of a list; names and groupings are left out of it, and
            so is what equals a default.
        parts: what it is made of, by the names of their modules.
    """

    x: Shape
    out: Shape
    params: int
    macs: int
    size: int
    meaning: str
    parts: Parts

    def call(self) -> Call:
        """The call that makes its module; `initialise` has still to draw the weights of layers."""
        raise TypeError(f"{type(self).__name__} makes no module")

    def calls(self) -> tuple[tuple[str, Call], ...]:
        """Those of its parts, by name."""
        return tuple((name, part.call()) for name, part in self.parts)

    def primitives(self) -> Iterator[Primitive]:
        """Its primitives in order, those of shortcuts left out."""
        for _, part in self.parts:
            yield from part.primitives()

    def units(self, path: str) -> Iterator[tuple[str, Role, Shape]]:
        """The residual units in it: module path, role, output shape."""
        for name, part in self.parts:
            yield from part.units(f"{path}.{name}")


@dataclass(frozen=True, slots=True)
class Leaf(Tree):
    """A primitive."""

    block: Primitive

    def call(self) -> Call:
        """As the primitive says."""
        call = self.block.call(self.x)
        return ByRule(call.target, *call.args, **call.kwargs) if self.block.drawn_by_rule else call

    def primitives(self) -> Iterator[Primitive]:
        """Itself."""
        yield self.block


@dataclass(frozen=True, slots=True)
class Sequence(Tree):
    """Parts, one after the other."""

    def call(self) -> Call:
        """An `nn.Sequential`."""
        return Call("archdsl.blocks.layers.sequence:sequential", *self.calls())


@dataclass(frozen=True, slots=True)
class Residual(Tree):
    """`act(shortcut(h) + branch(h))`, where h is the input after the first `shared` parts.

    Attributes:
        parts: the branch; the first `shared` of them come before the shortcut leaves.
        role: what the branch does, for the analyses.
        shortcut: None for the identity.
        act: what follows the sum, None for nothing.
    """

    role: Role
    shortcut: Tree | None
    shared: int
    act: Tree | None

    def call(self) -> Call:
        """A module of ours, whose branch can be dropped while training."""
        shortcut, act = (None if tree is None else tree.call() for tree in (self.shortcut, self.act))
        return Call("archdsl.blocks.layers.residual:Residual", list(self.calls()), shortcut, self.shared, act)

    def units(self, path: str) -> Iterator[tuple[str, Role, Shape]]:
        """Itself; what stands inside is part of it."""
        yield path, self.role, self.out


@dataclass(frozen=True, slots=True)
class Parallel(Tree):
    """Parts side by side, their outputs added, or put together along the channels.

    `apart`: two parts, the first for the map of what flows in, the second for its class token.
    """

    join: Join

    def call(self) -> Call:
        """A module of ours."""
        if self.join == "apart":
            grid = (self.x.height, self.x.width)
            return Call("archdsl.blocks.layers.parallel:Apart", list(self.calls()), grid)
        return Call("archdsl.blocks.layers.parallel:Parallel", list(self.calls()), self.join)
