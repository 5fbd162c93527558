"""Defines `timm`: a model of timm, cut off after one of its stages, as a block: `stem timm("resnet18", out=3)`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from archdsl.base.errors import did_you_mean
from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.blocks.calls import Call
from archdsl.blocks.primitives.convolution import require_map
from archdsl.blocks.shapes import Shape, ShapeError


@BLOCKS.register("timm")
class TimmBody(Primitive):
    """The features of a timm model, freshly initialised as timm does; nothing is ever downloaded.

    Fields:
        name: as in `timm.list_models()`; what stands behind a dot names pretrained weights, which are not loaded.
        out: which of the model's features flow out, as timm's `out_indices` counts them, from 0; None for the last.
    """

    positional: ClassVar[tuple[str, ...]] = ("name", "out")
    module_name: ClassVar[str] = "timm"
    summary: ClassVar[str] = "a timm model, cut off after the features number `out`"
    name: str
    out: int | None = Field(default=None, ge=0)

    def said(self, x: Shape) -> dict[str, Any]:
        """The model without the name of its weights, and which features."""
        return {"name": _plain(self.name), "out": self._look(x).index}

    def output(self, x: Shape) -> Shape:
        """What timm's model makes of it, always a map."""
        require_map(x, "timm")
        return self._look(x).out

    def params(self, x: Shape) -> int:
        """Counted on a model without memory."""
        return self._look(x).params

    def macs(self, x: Shape) -> int:
        """Counted by PyTorch, products of attention included."""
        return self._look(x).macs

    def call(self, x: Shape) -> Call:
        """timm's model, which keeps timm's names for its parameters."""
        size = (x.channels, x.height, x.width)
        return Call("archdsl.blocks.layers.timm_body:TimmFeatures", _plain(self.name), self._look(x).index, size)

    def _look(self, x: Shape) -> _Facts:
        return _facts(_plain(self.name), self.out, x)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What there is to know about a cut model at a shape."""

    index: int
    out: Shape
    params: int
    macs: int


def _plain(name: str) -> str:
    return name.partition(".")[0]


@functools.lru_cache(maxsize=256)
def _facts(name: str, index: int | None, x: Shape) -> _Facts:
    try:
        import timm
    except ImportError as error:  # it is installed with archdsl; what is missing then is memory, or a part of PyTorch
        reason = str(error).partition("\n")[0]
        raise ShapeError(f"timm cannot be loaded: {reason}", "name", "run 'python -c \"import timm\"' alone") from None
    if not timm.is_model(name):
        names = timm.list_models()
        help = did_you_mean(name, names) or "python -c 'import timm; print(timm.list_models())' prints all"
        raise ShapeError(f"timm has no model '{name}'", "name", help)
    from archdsl.blocks.layers.timm_body import look

    try:
        found, out, params, macs = look(name, index, (x.channels, x.height, x.width))
    except IndexError as error:
        raise ShapeError(str(error), "out") from None
    except Exception as error:  # timm's models say in as many ways what they do not take
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ShapeError(f"timm's '{name}' does not take {x}: {reason}", "name") from None
    return _Facts(found, Shape(*out), params, macs)
