"""A tree of blocks to what follows from it without PyTorch: shapes, cost, what its residual units do, its meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from archdsl.blocks.base import Composite, Cost, Node, Parallel, Primitive, Residual, Role, Sequence
from archdsl.blocks.shapes import Shape, ShapeError


def measure(node: Node, x: Shape) -> Cost:
    """Shape and cost of a tree of blocks for input shape `x`, without PyTorch.

    Raises:
        ShapeError: a part does not fit.
    """
    if isinstance(node, Primitive):
        return Cost(node.output(x), node.params(x), node.macs(x))
    if isinstance(node, Composite):
        try:
            return measure(node.expand(x), x)
        except ShapeError as error:
            if error.argument is None or node.takes(error.argument):
                raise
            raise ShapeError(error.message, None, error.help) from None  # an argument of a part, not of this block
    if not isinstance(node, (Sequence, Parallel, Residual)):
        raise TypeError(f"not a block: {node!r}")
    if x not in node.costs:  # what stands in it, and in that, is not to be measured once for every level
        node.costs[x] = _measure_structure(node, x)
    return node.costs[x]


def _measure_structure(node: Sequence | Parallel | Residual, x: Shape) -> Cost:
    if isinstance(node, Sequence):
        return _measure_parts(node.parts, x)
    if isinstance(node, Parallel):
        return _measure_parallel(node, x)
    shared = _measure_parts(node.parts[: node.shared], x)
    branch = _measure_parts(node.parts[node.shared :], shared.out)
    shortcut = measure(node.shortcut, shared.out) if node.shortcut else Cost(shared.out, 0, 0)
    if branch.out != shortcut.out:
        raise ShapeError(f"the branch gives {branch.out}, the shortcut {shortcut.out}; they cannot be added")
    total = [shared, branch, shortcut, *([measure(node.act, branch.out)] if node.act else [])]
    return Cost(branch.out, sum(c.params for c in total), sum(c.macs for c in total))


def _measure_parts(parts: tuple[tuple[str, Node], ...], x: Shape) -> Cost:
    params = macs = 0
    for _, part in parts:
        cost = measure(part, x)
        x, params, macs = cost.out, params + cost.params, macs + cost.macs
    return Cost(x, params, macs)


def _measure_parallel(node: Parallel, x: Shape) -> Cost:
    costs = [measure(part, inflow) for _, part, inflow in node.inner(x)]
    first = costs[0].out
    if node.join == "apart":
        out = _together(first, costs[1].out)
        return Cost(out, sum(c.params for c in costs), sum(c.macs for c in costs))
    channels = sum(cost.out.channels for cost in costs)
    for cost in costs[1:]:
        alike = cost.out if node.join == "sum" else cost.out._replace(channels=first.channels)
        if alike != first:
            raise ShapeError(f"the parts of '{node.join}' do not match: one gives {first}, another {cost.out}")
    out = first if node.join == "sum" else first._replace(channels=channels)
    return Cost(out, sum(c.params for c in costs), sum(c.macs for c in costs))


def _together(grid: Shape, token: Shape) -> Shape:
    if not (grid.is_map and token.is_vector and grid.channels == token.channels):
        raise ShapeError(
            f"the parts of 'apart' do not match: {grid} and, of the class token, {token}", None,
            "the first keeps a map a map, the second gives the token as many channels",
        )  # fmt: skip
    return grid._replace(prefix=1)


def roles(node: Node, x: Shape, path: str) -> Iterator[tuple[str, Role, Shape]]:
    """The residual units in a tree: module path, role, output shape."""
    if isinstance(node, Composite):
        yield from roles(node.expand(x), x, path)
    elif isinstance(node, Residual):
        yield path, node.role, measure(node, x).out
    elif isinstance(node, Sequence):
        for name, part in node.parts:
            yield from roles(part, x, f"{path}.{name}")
            x = measure(part, x).out
    elif isinstance(node, Parallel):
        for name, part, inflow in node.inner(x):
            yield from roles(part, inflow, f"{path}.{name}")


def role(nodes: Iterable[Node]) -> Role:
    """What a branch does: attention if there is any in it, else convolution or pooling, else a matrix alone."""
    found = {primitive.role for node in nodes for primitive in primitives(node)}
    return "msa" if "msa" in found else "conv" if "conv" in found else "mlp"


def primitives(node: Node | None) -> Iterator[Primitive]:
    """The primitives of a tree without composites, shortcuts left out."""
    if isinstance(node, Primitive):
        yield node
    elif isinstance(node, (Sequence, Residual, Parallel)):
        for _, part in node.parts:
            yield from primitives(part)


def meaning(node: Node, x: Shape) -> list[Any]:
    """What a tree computes as plain data: names and groupings are left out, and so is what equals a default.

    It is what the hash of a network is made of.
    """
    if isinstance(node, Composite):
        return meaning(node.expand(x), x)
    if isinstance(node, Primitive):
        return [[node.kind_name, node.said(x)]]
    if isinstance(node, Parallel):
        return [[node.join, [meaning(part, inflow) for _, part, inflow in node.inner(x)]]]
    if isinstance(node, Sequence):
        return _meaning_parts(node.parts, x)
    if isinstance(node, Residual):
        h = _measure_parts(node.parts[: node.shared], x).out
        shared, branch = _meaning_parts(node.parts[: node.shared], x), _meaning_parts(node.parts[node.shared :], h)
        shortcut = None if node.shortcut is None else meaning(node.shortcut, h)
        act = None if node.act is None else meaning(node.act, measure(node, x).out)
        return [["residual", shared, branch, shortcut, act]]
    raise TypeError(f"not a block: {node!r}")


def _meaning_parts(parts: tuple[tuple[str, Node], ...], x: Shape) -> list[Any]:
    found: list[Any] = []
    for _, part in parts:
        found += meaning(part, x)
        x = measure(part, x).out
    return found
