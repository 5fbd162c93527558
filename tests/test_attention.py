"""Attention against definitions written as loops, in float64: global, windows, shifted windows, neighbourhoods, tables."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.blocks.layers.attention import GridAttention, TokenAttention
from archdsl.blocks.layers.residual import Residual, drop_path

HEADS, DIM, CHANNELS, OUT = 2, 3, 5, 4


def region(place: int, size: int, window: int, shift: int) -> int:
    """Which window a row (or column) belongs to; shifted windows begin `shift` later, and the border ones are cut."""
    if window >= size:
        return 0
    return (place - shift) // window


def naive(
    layer: GridAttention, x: Tensor, window: int | None = None, shift: bool = False, local: int | None = None,
    grid: int | None = None,
) -> Tensor:  # fmt: skip
    """For every query: softmax over the keys it may see, one head and one position after the other."""
    B, _, H, W = x.shape
    side = window // 2 if window and shift else 0
    height, width = (window, window) if window else (grid, grid) if grid else (H, W)
    down, right = (H // grid, W // grid) if grid else (1, 1)  # between positions of one grid
    qkv = layer.qkv(x.permute(0, 2, 3, 1)).reshape(B, H, W, 3, HEADS, DIM)
    found = x.new_zeros(B, H, W, HEADS, DIM)
    for b in range(B):
        for head in range(HEADS):
            for i in range(H):
                for j in range(W):
                    scores, values = [], []
                    for k in range(H):
                        for m in range(W):
                            same = (region(i, H, height, side), region(j, W, width, side)) == (
                                region(k, H, height, side),
                                region(m, W, width, side),
                            )
                            if grid:
                                same = (i % down, j % right) == (k % down, m % right)
                            near = local is None or max(abs(i - k), abs(j - m)) <= local // 2
                            if not (same and near):
                                continue
                            score = qkv[b, i, j, 0, head] @ qkv[b, k, m, 1, head] / math.sqrt(DIM)
                            if layer.table is not None:
                                table = layer.table[head if len(layer.table) > 1 else 0]
                                score = score + table[(i - k) // down + height - 1, (j - m) // right + width - 1]
                            scores.append(score)
                            values.append(qkv[b, k, m, 2, head])
                    found[b, i, j, head] = torch.stack(scores).softmax(0) @ torch.stack(values)
    return layer.proj(found.flatten(3)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


@pytest.mark.parametrize("tables", [0, 1, HEADS])
@pytest.mark.parametrize(
    ("size", "window", "shift", "local", "grid"),
    [
        ((3, 3), None, False, None, None),
        ((2, 4), None, False, None, None),
        ((4, 4), 2, False, None, None),
        ((4, 4), 2, True, None, None),
        ((6, 6), 2, True, None, None),  # three windows a side: the first rows meet the last in the last window alone
        ((6, 9), 3, True, None, None),  # an odd side, shifted by its floor
        ((4, 4), 4, True, None, None),  # one window fills the map
        ((2, 6), 2, True, None, None),  # one window fills one side
        ((4, 5), None, False, 3, None),
        ((3, 3), None, False, 5, None),
        ((2, 2), None, False, 1, None),
        ((4, 6), None, False, None, 2),
        ((6, 6), None, False, None, 3),
        ((3, 3), None, False, None, 3),  # the whole map is one grid
    ],
)
def test_grid_attention(
    size: tuple[int, int], window: int | None, shift: bool, local: int | None, grid: int | None, tables: int
) -> None:
    torch.manual_seed(0)
    options = {"window": window, "shift": shift, "local": local, "grid": grid}
    layer = GridAttention(CHANNELS, OUT, HEADS, DIM, size=size, tables=tables, qkv_bias=True, **options).double()  # type: ignore[arg-type]
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, CHANNELS, *size, dtype=torch.float64)
    with torch.no_grad():
        found = layer(x)
        torch.testing.assert_close(found, naive(layer, x, window, shift, local, grid), rtol=0, atol=1e-12)
        # In channels_last memory, as training uses it, the result is the same.
        torch.testing.assert_close(layer(x.contiguous(memory_format=torch.channels_last)), found, rtol=0, atol=1e-12)


def test_token_attention_is_pytorchs() -> None:
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    ours = TokenAttention(8, 8, 2, 4, qkv_bias=True).double()
    nn.init.normal_(theirs.in_proj_bias)
    nn.init.normal_(theirs.out_proj.bias)
    assert theirs.in_proj_weight is not None
    ours.load_state_dict(
        {
            "qkv.weight": theirs.in_proj_weight,
            "qkv.bias": theirs.in_proj_bias,
            "proj.weight": theirs.out_proj.weight,
            "proj.bias": theirs.out_proj.bias,
        }
    )
    x = torch.randn(3, 7, 8, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0], rtol=0, atol=1e-12)


def test_attention_is_differentiable_to_second_order() -> None:
    """The Hessian analyses need it, through tables and masks too."""
    torch.manual_seed(0)
    layer = GridAttention(4, 4, 2, 2, size=(4, 4), window=2, shift=True, tables=2).double()
    x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = layer(x).square().sum()
        gradients = torch.autograd.grad(loss, list(layer.parameters()), create_graph=True)
        norm = sum(g.square().sum() for g in gradients)
        assert isinstance(norm, Tensor)
        seconds = torch.autograd.grad(norm, list(layer.parameters()))
    assert all(torch.isfinite(s).all() for s in seconds)
    assert all(s.abs().max() > 0 for s in seconds)


# ---- the residual unit ---------------------------------------------------------------------------------------------


def test_residual_adds_what_the_shared_parts_give() -> None:
    torch.manual_seed(0)
    parts = [("norm", nn.BatchNorm2d(3)), ("conv", nn.Conv2d(3, 5, 1))]
    shortcut, act = nn.Conv2d(3, 5, 1), nn.ReLU()
    unit = Residual(parts, shortcut, shared=1, act=act).eval()
    x = torch.randn(2, 3, 4, 4)
    h = parts[0][1](x)
    torch.testing.assert_close(unit(x), torch.relu(shortcut(h) + parts[1][1](h)))
    plain = Residual([("conv", nn.Conv2d(3, 3, 1))], None, shared=0, act=None)
    torch.testing.assert_close(plain(x), x + plain.conv(x))  # type: ignore[operator]


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = drop_path(torch.ones(4000, 2, 3, 3), 0.25)
    kept = y.flatten(1).amax(1) > 0
    assert torch.equal(y.flatten(1).amin(1) > 0, kept)
    assert y[kept].unique().tolist() == pytest.approx([1 / 0.75])
    assert float(y.mean()) == pytest.approx(1, abs=0.05)
    unit = Residual([("act", nn.Identity())], None, shared=0, act=None)
    unit.drop_path = 1 - 1e-9
    x = torch.ones(8, 1, 1, 1)
    assert torch.equal(unit.train()(x), x)
    assert torch.equal(unit.eval()(x), 2 * x)


@pytest.mark.parametrize("block", ["M(head_dim=8)", "T(heads=2, window=4, shift=true)", "T(heads=2, local=3)"])
def test_half_the_precision_on_a_cpu_with_biases_and_masks(block: str) -> None:
    network = archdsl.compile(f"input 3x16x16\nclasses 3\nstem conv(16)\nstage(16)[{block}]\nhead gap linear").eval()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = network(x)
        found = network.bfloat16()(x.bfloat16())
    assert found.dtype == torch.bfloat16
    assert float((found.float() - expected).abs().max()) < 0.05 * float(expected.abs().max())
