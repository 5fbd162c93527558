"""Gives a forward pass cheap second derivatives: what a Hessian-vector product costs.

PyTorch derives its backward formulas by general rules. A convolution's then becomes one whose kernels are as large as
the map, attention keeps a dozen matrices of all pairs of positions, and BatchNorm in eval mode is derived as if it
computed statistics; the hard sigmoid has none at all. The rules here give first and second derivatives outright, and
none beyond. A BatchNorm that follows a convolution goes into its weights where these are smaller than the map: one map
less is then kept, of the pass and of each of its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.overrides import TorchFunctionMode

from archdsl.analyses.curvature.double_attention import Attention


class DoubleBackward(TorchFunctionMode):
    """While it lasts, convolutions, attention, BatchNorm in eval mode and hard sigmoids follow the rules of this file.

    What a rule does not cover (strings as padding, dropout in attention, …) stays PyTorch's own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._latest: _Convolved | None = None
        self._rules: dict[Any, Callable[..., Any]] = {
            F.conv2d: self._conv2d,
            F.batch_norm: self._batch_norm,
            F.scaled_dot_product_attention: _attention,
            F.hardsigmoid: _hardsigmoid,
        }

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Called for every function of PyTorch."""
        kwargs = kwargs or {}
        rule = self._rules.get(func)
        result = NotImplemented if rule is None else rule(*args, **kwargs)
        return func(*args, **kwargs) if result is NotImplemented else result

    def __exit__(self, *error: Any) -> None:
        self._latest = None
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def _conv2d(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Any:  # fmt: skip
        if input.dim() != 4 or isinstance(padding, str):
            return NotImplemented
        how = (_pair(stride), _pair(padding), _pair(dilation), False, [0, 0], groups)
        y: Tensor = _Convolution.apply(input, weight, how)
        y = y if bias is None else y + bias.view(-1, 1, 1)
        self._latest = _Convolved(y, input, weight, bias, how, _versions(y, input, weight))
        return y

    def _batch_norm(
        self, input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
        bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        """With fixed statistics it is a factor and a term per channel."""
        if training or running_mean is None or running_var is None:
            return NotImplemented
        scale = (running_var + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -running_mean * scale if bias is None else bias - running_mean * scale
        before, self._latest = self._latest, None
        if before is not None and before.gave(input) and input.numel() > before.weight.numel():
            if before.bias is not None:
                shift = shift + before.bias * scale
            y: Tensor = _Convolution.apply(before.input, before.weight * scale.view(-1, 1, 1, 1), before.how)
            return y + shift.view(-1, 1, 1)
        shape = (-1,) + (1,) * (input.dim() - 2)
        return input * scale.view(shape) + shift.view(shape)


@dataclass(frozen=True)
class _Convolved:
    """The latest convolution, whose result may go into a BatchNorm."""

    output: Tensor
    input: Tensor
    weight: Tensor
    bias: Tensor | None
    how: Any
    versions: tuple[int, ...]

    def gave(self, tensor: Tensor) -> bool:
        """Whether this is the result, with nothing written since into it or into what it came from."""
        return tensor is self.output and _versions(tensor, self.input, self.weight) == self.versions


def _versions(*tensors: Tensor) -> tuple[int, ...]:
    return tuple(tensor._version for tensor in tensors)


def _pair(value: int | list[int] | tuple[int, ...]) -> list[int]:
    pair = [value] if isinstance(value, int) else list(value)
    return pair if len(pair) == 2 else pair * 2


class _Convolution(Function):
    """Convolution c(x, w), which is linear in the image x and in the weight w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, how: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return torch.convolution(x, weight, None, *how)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        wanted = list(ctx.needs_input_grad[:2])
        return (*_ConvolutionBackward.apply(g, *ctx.saved_tensors, ctx.how, wanted), None)


class _ConvolutionBackward(Function):
    """The gradients of <g, c(x, w)> with respect to x and w.

    Their products with directions (a, b) add up to <g, c(a, w) + c(x, b)>, from which the second derivatives are read.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, how: Any, wanted: list[bool]) -> Any:
        ctx.save_for_backward(g, x, weight)
        ctx.set_materialize_grads(False)
        ctx.how = how
        return torch.ops.aten.convolution_backward(g, x, weight, None, *how, [*wanted, False])[:2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, a: Tensor | None, b: Tensor | None) -> Any:
        g, x, weight = ctx.saved_tensors
        gradient = torch.ops.aten.convolution_backward
        to_g, to_x, to_weight = None, None, None
        if a is not None:
            to_g = torch.convolution(a, weight, None, *ctx.how)
            if ctx.needs_input_grad[2]:
                to_weight = gradient(g, a, weight, None, *ctx.how, [False, True, False])[1]
        if b is not None:
            more = torch.convolution(x, b, None, *ctx.how)
            to_g = more if to_g is None else to_g.add_(more)
            if ctx.needs_input_grad[1]:
                to_x = gradient(g, x, b, None, *ctx.how, [True, False, False])[0]
        return to_g, to_x, to_weight, None, None


def _attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if query.dim() != 4 or dropout_p or is_causal or enable_gqa:
        return NotImplemented
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(~attn_mask, -math.inf)
        attn_mask = attn_mask[(None,) * (4 - attn_mask.dim())]
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    return Attention.apply(query, key, value, attn_mask, factor)


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Linear from -3 to 3: with the slope of PyTorch's own, which is 0 at both ends, and a second derivative of 0."""
    y = torch.where(input.abs() < 3, input / 6 + 0.5, (input > 0).to(input))
    return input.copy_(y) if inplace else y
