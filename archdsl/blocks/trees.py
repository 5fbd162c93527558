"""Puts trees of blocks together: what flows out, what it costs and what it means, or why the parts do not fit."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.blocks.base import Join, Parallel, Parts, Residual, Role, Sequence, Tree
from archdsl.blocks.shapes import Shape, ShapeError


def sequence(parts: Parts, x: Shape) -> Sequence:
    """Parts one after the other, each made for what the one before it gives."""
    return Sequence(x, flow(parts, x), *_sums([part for _, part in parts]), _size(parts), _said(parts), parts)


def flow(parts: Parts, x: Shape) -> Shape:
    """What flows out of parts one after the other."""
    return parts[-1][1].out if parts else x


def residual(
    parts: Parts, x: Shape, *, shortcut: Tree | None = None, shared: int = 0, act: Tree | None = None
) -> Residual:
    """A residual unit.

    Args:
        parts: one after the other.
        x: what flows in.
        shortcut: for what flows out of the first `shared` parts; None for the identity.
        shared: how many parts come before the shortcut leaves.
        act: what follows the sum, made for it.

    Raises:
        ShapeError: branch and shortcut cannot be added.
    """
    leaving, out = flow(parts[:shared], x), flow(parts, x)
    beside = leaving if shortcut is None else shortcut.out
    if out != beside:
        raise ShapeError(f"the branch gives {out}, the shortcut {beside}; they cannot be added")
    said = [f"[{_said(parts[:shared])}]", f"[{_said(parts[shared:])}]"]
    said += ["null" if part is None else f"[{part.meaning}]" for part in (shortcut, act)]
    whole = [*(part for _, part in parts), *(part for part in (shortcut, act) if part is not None)]
    meaning = f'["residual",{",".join(said)}]'
    return Residual(
        x, out, *_sums(whole), _size(parts), meaning, parts, role(t for _, t in parts), shortcut, shared, act
    )


def parallel(parts: Parts, join: Join, x: Shape) -> Parallel:
    """Parts side by side, each made for its share of `inflows`.

    Raises:
        ShapeError: their outputs do not go together.
    """
    trees = [part for _, part in parts]
    meaning = f'["{join}",[{",".join(f"[{tree.meaning}]" for tree in trees)}]]'
    return Parallel(x, _joined(join, [tree.out for tree in trees]), *_sums(trees), _size(parts), meaning, parts, join)


def _sums(trees: list[Tree]) -> tuple[int, int]:
    return sum(tree.params for tree in trees), sum(tree.macs for tree in trees)


def _size(parts: Parts) -> int:
    return sum([part.size for _, part in parts])


def _said(parts: Parts) -> str:
    return ",".join(part.meaning for _, part in parts if part.meaning)


def _joined(join: Join, outs: list[Shape]) -> Shape:
    first = outs[0]
    if join == "apart":
        token = outs[1]
        if not (first.is_map and token.is_vector and first.channels == token.channels):
            raise ShapeError(
                f"the parts of 'apart' do not match: {first} and, of the class token, {token}", None,
                "the first keeps a map a map, the second gives the token as many channels",
            )  # fmt: skip
        return first._replace(prefix=1)
    for out in outs[1:]:
        alike = out if join == "sum" else out._replace(channels=first.channels)
        if alike != first:
            raise ShapeError(f"the parts of '{join}' do not match: one gives {first}, another {out}")
    return first if join == "sum" else first._replace(channels=sum(out.channels for out in outs))


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


def role(trees: Iterable[Tree]) -> Role:
    """What a branch does: attention if there is any in it, else convolution or pooling, else a matrix alone."""
    found = {primitive.role for tree in trees for primitive in tree.primitives()}
    return "msa" if "msa" in found else "conv" if "conv" in found else "mlp"
