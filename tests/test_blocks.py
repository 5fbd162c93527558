"""The contract of blocks, over the registry: shapes, parameters and MACs said beforehand are those of the module.

A new block is tested on arrival: every argument is varied over values of its type, at maps, tokens and vectors.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.blocks import BLOCKS as PRIMITIVES
from archdsl.blocks import Block
from archdsl.blocks.base import Tree
from archdsl.blocks.composites.expansion import tree
from archdsl.blocks.composites.kinds import Kind, Use, construct
from archdsl.blocks.layers.residual import Residual
from archdsl.blocks.shapes import Shape, ShapeError
from archdsl.ir.arguments import show
from archdsl.language import parse, prelude
from archdsl.network.model import build_node, initialise
from archdsl.space import check

BLOCKS = prelude.blocks() | {name: PRIMITIVES[name] for name in PRIMITIVES}
SHAPES = [
    Shape(24, 8, 8),
    Shape(16, 8, 4),
    Shape(16, 7, 7),
    Shape(24, 1, 1),
    Shape(16, 4, 4, prefix=1),
    Shape(16, 0, 0),
]


def values(annotation: Any, field: FieldInfo) -> list[Any]:
    """Values of an argument's type to try."""
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    if isinstance(annotation, types.UnionType):
        return [v for part in typing.get_args(annotation) for v in values(part, field)]
    found: dict[Any, list[Any]] = {
        int: [1, 2, 3, 4, 16],
        float: [0.25, 0.5, 3.0],
        bool: [False, True],
        str: ["resnet18", "no_model"],  # models of timm
        type(None): [None],
    }
    return found[annotation]


def required(block: Kind) -> dict[str, Any]:
    """A value for every argument that needs one."""
    fields = block.model_fields.items()
    return {name: "resnet18" if field.annotation is str else 24 for name, field in fields if field.is_required()}


def variants(block: Kind) -> Iterator[Block | Use]:
    """The block with its defaults, and with each argument changed alone; also in pairs with a window."""
    base = required(block)
    if "heads" in block.model_fields:
        base["heads"] = 4
    seen = []
    for name, field in [("", None), *block.model_fields.items()]:
        for value in values(field.annotation, field) if field else [None]:
            for window in [None, 4] if "window" in block.model_fields and name != "window" else [None]:
                arguments = {**base, **({name: value} if field else {}), **({"window": window} if window else {})}
                try:
                    made = construct(block, "block", arguments)
                except ShapeError:
                    continue
                if made not in seen:
                    seen.append(made)
                    yield made


def fitting(block: Kind) -> list[Tree]:
    """Every variant at every shape it fits."""
    found = []
    for variant in variants(block):
        for x in SHAPES:
            try:
                found.append(tree(variant, x))
            except ShapeError as error:
                assert error.message
                assert error.argument is None or block.takes(error.argument), f"{error.argument} is no argument"
    return found


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str) -> None:
    torch.manual_seed(0)
    cases = fitting(BLOCKS[name])
    assert cases, "the block fits nowhere"
    for block in cases:
        module = build_node(block)
        initialise(module)
        assert sum(p.numel() for p in module.parameters()) == block.params, block
        images = torch.randn(2, *block.x.dims, requires_grad=True)
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            out = module(images)
        assert list(out.shape) == [2, *block.out.dims], block
        assert counter.get_total_flops() / 4 == pytest.approx(block.macs, rel=0.01), block  # 2 images, 2 per MAC
        out.square().mean().backward()
        assert torch.isfinite(out).all()
        assert images.grad is not None
        assert torch.isfinite(images.grad).all()
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None, f"{parameter_name} of {block} is not used"
            assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("name", BLOCKS)
def test_units_are_residual_modules(name: str) -> None:
    for block in fitting(BLOCKS[name])[:3]:
        module = torch.nn.ModuleDict({"block": build_node(block)})
        for path, role, out in block.units("block"):
            assert isinstance(module.get_submodule(path), Residual)
            assert role in ("conv", "msa", "mlp")
            assert out.height > 0


@pytest.mark.parametrize("name", BLOCKS)
def test_arguments(name: str) -> None:
    """Every argument has a type of the language, can be written in a file, and changes the block."""
    block = BLOCKS[name]
    assert block.summary, "one line for documentation and editors"
    assert name.isidentifier()
    assert set(block.positional) <= block.model_fields.keys()
    for argument, field in block.model_fields.items():
        assert argument.isidentifier()
        assert argument != "down"
        tried = []
        for value in values(field.annotation, field):
            given = required(block) | {argument: value}
            written = ", ".join(f"{n}={show(v)}" for n, v in given.items())
            try:
                expected = construct(block, name, given)
            except ShapeError:
                continue
            item = parse(f"stage(24)[{name}({written})]").stages[0].items[0]
            again = {n: v for n, v in given.items() if n != argument} | item.arguments  # type: ignore[union-attr]
            assert construct(block, name, again).values == expected.values  # type: ignore[arg-type]
            tried.append(expected.values)
        assert len(set(map(str, tried))) > 1, f"'{argument}' cannot be set"


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_frozen_and_strict(name: str) -> None:
    kind, block = BLOCKS[name], next(variants(BLOCKS[name]))
    for argument, value in block.values.items():
        with pytest.raises((ValidationError, FrozenInstanceError, AttributeError)):
            setattr(block, argument, value)
        wrong = 1 if kind.model_fields[argument].annotation is str else "1"
        with pytest.raises(ShapeError, match=f"'{argument}' (takes|must be)"):
            construct(kind, name, {**block.values, argument: wrong})


# ---- rules of particular blocks ----------------------------------------------------------------------------------


def out(text: str, x: Shape) -> Shape:
    """The output shape of one block."""
    blocks = check(parse(f"input {x.channels}x{x.height}x{x.width} stem stage({x.channels})[{text}]")).stages[0].blocks
    return blocks[-1].cost.out


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("conv(8)", Shape(4, 9, 6), Shape(8, 9, 6)),
        ("conv(8, stride=2)", Shape(4, 9, 6), Shape(8, 5, 3)),
        ("conv(8, k=4)", Shape(4, 8, 8), Shape(8, 7, 7)),
        ("conv(8, k=7, stride=2)", Shape(3, 224, 224), Shape(8, 112, 112)),
        ("maxpool", Shape(4, 112, 112), Shape(4, 56, 56)),
        ("avgpool(2, 2)", Shape(4, 7, 7), Shape(4, 3, 3)),
        ("patch(8, 4)", Shape(4, 8, 16), Shape(8, 2, 4)),
        ("basic(8, stride=2)", Shape(4, 9, 9), Shape(8, 5, 5)),
        ("M(16)", Shape(8, 8, 8), Shape(16, 8, 8)),
        ("T", Shape(8, 8, 8), Shape(8, 8, 8)),
    ],
)
def test_output_shapes(text: str, x: Shape, expected: Shape) -> None:
    assert out(text, x) == expected


def at(name: str, x: Shape, **arguments: Any) -> Tree:
    """A block with its arguments where something flows in."""
    return tree(construct(BLOCKS[name], name, arguments), x)


def test_attention_counts_both_products() -> None:
    """For N positions of C channels and inner width D: qkv and projection 4NCD, both products 2NND."""
    N, C, D = 64, 24, 8
    cost = at("msa", Shape(C, 8, 8), width=C, heads=2, head_dim=4, rel_pos=False)
    assert cost.macs == 4 * N * C * D + 2 * N * N * D + N * C * C
    windowed = at("msa", Shape(C, 8, 8), width=C, heads=2, head_dim=4, rel_pos=False, window=4)
    assert windowed.macs == 4 * N * C * D + 2 * N * 16 * D + N * C * C


def test_the_papers_position_table_is_one_for_all_heads_and_swins_one_per_head() -> None:
    x = Shape(24, 8, 8)
    for kind, tables in (("msa", 1), ("transformer", 4)):
        extra = {"width": 24} if kind == "msa" else {}
        with_table = at(kind, x, heads=4, window=4, rel_pos=True, **extra)
        without = at(kind, x, heads=4, window=4, rel_pos=False, **extra)
        assert with_table.params - without.params == tables * 7 * 7
