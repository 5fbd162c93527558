"""Attention whose first and second derivatives keep no matrix of all pairs.

Such matrices are computed again where they are needed, for a few images at a time: on a CPU they then stay in its
cache, and what is kept is no more than for a fused kernel's backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.nn.attention import SDPBackend, sdpa_kernel

# Pairs of positions worked on at once; there are half a dozen such matrices.
_PAIRS = {"cpu": 2**18, "cuda": 2**25}

# What a forward pass may choose from; around it only the slow one with second derivatives is allowed.
_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class Attention(Function):
    """softmax(scale q k' + mask) v for q, k, v (B, heads, N, d); the mask broadcasts to (B, heads, N, N) or is None."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        """By the fused kernel."""
        ctx.save_for_backward(q, k, v, mask)
        ctx.scale = scale
        with sdpa_kernel(_FUSED):
            return F.scaled_dot_product_attention(q, k, v, mask, scale=scale)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """Differentiable once more."""
        found = _Backward.apply(g, *ctx.saved_tensors, ctx.scale, ctx.needs_input_grad[3])
        return (*found, None)


class _Backward(Function):
    """The gradients of <g, attention> with respect to q, k, v and the mask.

    With P the probabilities, D = g v' less its mean under P, and S = P o D: they are s S k, s S' q, P' g, S.
    """

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, wanted: bool
    ) -> Any:
        ctx.save_for_backward(g, q, k, v, mask)
        ctx.set_materialize_grads(False)
        ctx.scale = scale
        to_q, to_k, to_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        to_mask = torch.zeros_like(mask) if mask is not None and wanted else None
        heads = q.shape[1]
        for part in _parts(q, k):
            G, Q, K, V = (_rows(t, part) for t in (g, q, k, v))
            P = _probabilities(Q * scale, K, mask, part, heads)
            S = _centre(torch.bmm(G, V.mT), P)
            _put(to_v, part, torch.bmm(P.mT, G))
            S *= P
            _add(to_mask, part, S, heads)
            _put(to_q, part, torch.bmm(S, K * scale))
            _put(to_k, part, torch.bmm(S.mT, Q * scale))
        return to_q, to_k, to_v, to_mask

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, a: Tensor | None, b: Tensor | None, c: Tensor | None, m: Tensor | None) -> Any:
        """Gradients of the sum of products of the four gradients with directions a, b, c, m of q, k, v and the mask.

        That sum is <g, derivative of attention along (a, b, c, m)>. With T = s (a k' + q b') + m less its mean under
        P, the derivative of P is P o T, and X = P o (D o T + g c' less its mean) is the gradient at the logits.
        """
        g, q, k, v, mask = ctx.saved_tensors
        a, b, c = (torch.zeros_like(t) if d is None else d for d, t in ((a, q), (b, k), (c, v)))
        to_g, to_q, to_k, to_v = (torch.empty_like(t) for t in (g, q, k, v))
        to_mask = torch.zeros_like(mask) if mask is not None and ctx.needs_input_grad[4] else None
        heads = q.shape[1]
        for part in _parts(q, k):
            G, Q, K, V, A, B, C = (_rows(t, part) for t in (g, q, k, v, a, b, c))
            Q, A = Q * ctx.scale, A * ctx.scale  # every product has the scale in it once
            P = _probabilities(Q, K, mask, part, heads)
            D = _centre(torch.bmm(G, V.mT), P)
            T = torch.bmm(A, K.mT).baddbmm_(Q, B.mT)
            if m is not None:
                _spread(T, m, part, heads)
            T = _centre(T, P)
            X = _centre(torch.bmm(G, C.mT).addcmul_(D, T), P).mul_(P)
            S, R = D.mul_(P), T.mul_(P)
            _add(to_mask, part, X, heads)
            _put(to_q, part, torch.bmm(X, K).baddbmm_(S, B).mul_(ctx.scale))
            _put(to_k, part, torch.bmm(X.mT, Q).baddbmm_(S.mT, A))
            _put(to_v, part, torch.bmm(R.mT, G))
            _put(to_g, part, torch.bmm(R, V).baddbmm_(P, C))
        return to_g, to_q, to_k, to_v, to_mask, None, None


def _parts(q: Tensor, k: Tensor) -> Iterator[slice]:
    """The batch in pieces of few enough pairs, of one image at least."""
    pairs = q.shape[1] * q.shape[2] * k.shape[2]
    size = max(1, _PAIRS.get(q.device.type, 2**25) // pairs)
    for start in range(0, len(q), size):
        yield slice(start, start + size)


def _rows(tensor: Tensor, part: slice) -> Tensor:
    """(B, heads, N, d) -> (b heads, N, d)."""
    return tensor[part].flatten(0, 1)


def _put(to: Tensor, part: slice, rows: Tensor) -> None:
    piece = to[part]
    piece.copy_(rows.view(piece.shape))


def _probabilities(Q: Tensor, K: Tensor, mask: Tensor | None, part: slice, heads: int) -> Tensor:
    logits = torch.bmm(Q, K.mT)
    if mask is not None:
        _spread(logits, mask, part, heads)
    return torch.softmax(logits, -1)


def _centre(rows: Tensor, P: Tensor) -> Tensor:
    """Less the mean of each row under P, in place."""
    return rows.sub_((rows * P).sum(-1, keepdim=True))


def _spread(rows: Tensor, mask: Tensor, part: slice, heads: int) -> None:
    """Add a mask (B or 1, heads or 1, N, N), or its part, to (b heads, N, N)."""
    rows.view(-1, heads, *rows.shape[1:]).add_(mask if mask.shape[0] == 1 else mask[part])


def _add(total: Tensor | None, part: slice, rows: Tensor, heads: int) -> None:
    """Add (b heads, N, N), summed where the mask was spread, to what the mask gets."""
    if total is not None:
        piece = total if total.shape[0] == 1 else total[part]
        piece += rows.view(-1, heads, *rows.shape[1:]).sum_to_size(piece.shape)
