"""What a block is: typed arguments, and either a rule of its own (Primitive) or a tree of other blocks (Composite).

Shapes, parameters and MACs follow from the tree before PyTorch is imported (`trees`); `build` makes the modules from
the same tree, so the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from archdsl.blocks.shapes import Shape, ShapeError

if TYPE_CHECKING:
    from torch import nn


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


Role: TypeAlias = Literal["conv", "msa", "mlp"]


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

    def build(self, x: Shape) -> nn.Module:
        """The PyTorch module for input shape `x`."""
        raise TypeError(f"{type(self).__name__} builds no module")


class Composite(Block):
    """A block said in terms of others."""

    def expand(self, x: Shape) -> Node:
        """The tree of blocks it stands for, given its input shape.

        Raises:
            ShapeError: the block does not fit.
        """
        raise TypeError(f"{type(self).__name__} has no expansion")


Costs: TypeAlias = "dict[Shape, Cost]"  # known so far, by what flows in


@dataclass(frozen=True, slots=True)
class Sequence:
    """Named parts, one after the other."""

    parts: tuple[tuple[str, Node], ...]
    costs: Costs = field(default_factory=dict, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Residual:
    """`act(shortcut(h) + branch(h))`, where h is the input after the first `shared` parts.

    Attributes:
        parts: the branch, by name; the first `shared` of them come before the shortcut leaves.
        shortcut: None for the identity.
        act: what follows the sum, None for nothing.
        role: what the branch does, for the analyses.
    """

    parts: tuple[tuple[str, Node], ...]
    role: Role
    shortcut: Node | None = None
    shared: int = 0
    act: Node | None = None
    costs: Costs = field(default_factory=dict, init=False, compare=False, repr=False)


Join: TypeAlias = Literal["sum", "concat", "apart"]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Named parts side by side, their outputs added, or put together along the channels.

    `apart`: two parts, the first for the map of what flows in, the second for its class token.
    """

    parts: tuple[tuple[str, Node], ...]
    join: Join
    costs: Costs = field(default_factory=dict, init=False, compare=False, repr=False)

    def inner(self, x: Shape) -> Iterator[tuple[str, Node, Shape]]:
        """The parts with what flows into each."""
        for (name, part), inflow in zip(self.parts, inflows(self.join, len(self.parts), x), strict=True):
            yield name, part, inflow


Node: TypeAlias = Block | Sequence | Residual | Parallel


@dataclass(frozen=True, slots=True)
class Cost:
    """Output shape, parameters and MACs of a node."""

    out: Shape
    params: int
    macs: int


def inflows(join: Join, count: int, x: Shape) -> tuple[Shape, ...]:
    """What flows into each of `count` parts side by side.

    Raises:
        ShapeError: there have to be others, or there is no class token to set apart.
    """
    if count == 0:
        raise ShapeError("there is nothing to run side by side", None, "for example: sum[conv conv(k=5)]")
    if join != "apart":
        return (x,) * count
    if count != 2:
        raise ShapeError(
            f"'apart' takes two items, one for the map and one for the class token, not {count}", None,
            "several blocks in parentheses are one item: apart[(norm conv) linear]",
        )  # fmt: skip
    if not x.is_tokens:
        raise ShapeError(f"'apart' needs a class token, but gets {x}", None, "write 'cls' into the stem")
    return x._replace(prefix=0), Shape(x.channels, 0, 0)


# What modules have already, so that no part can be called so (`nn.Sequential`, and our own in `archdsl.blocks.layers`).
_TAKEN_NAMES = """
    T_destination act_out add_module append apply bfloat16 branch branches buffers call_super_init children compile cpu
    cuda double drop_path dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half insert ipu join load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters pop requires_grad_ set_extra_state set_submodule share_memory shared shortcut state_dict
    to to_empty train training type xpu zero_grad
"""
TAKEN_NAMES = frozenset(_TAKEN_NAMES.split())


def free_name(name: str, taken: dict[str, int]) -> str:
    """A module name that is not taken yet: the name itself, else numbered from 2; it is taken from then on.

    Args:
        name: what the module would be called.
        taken: the names so far, each with the number at which to go on.
    """
    plain = name not in TAKEN_NAMES and not name.startswith(("register_", "_"))
    if plain and name not in taken:
        taken[name] = 2
        return name
    number = taken.get(name, 2)
    while (found := f"{name}{number}") in taken:
        number += 1
    taken[name] = number + 1
    taken[found] = 2
    return found
