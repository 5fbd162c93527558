"""The rules for second derivatives against finite differences, and against PyTorch's own where it has any."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.attention import SDPBackend, sdpa_kernel

from archdsl.analyses.curvature import double_attention
from archdsl.analyses.curvature.double_backward import DoubleBackward


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention in several parts, also on inputs as small as these."""
    monkeypatch.setitem(double_attention._PAIRS, "cpu", 40)


def _drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("mask", [None, (3, 2, 4, 4), (1, 2, 4, 4), (3, 1, 4, 4), (1, 1, 4, 4), (4, 4)])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention(mask: tuple[int, ...] | None, scale: float | None) -> None:
    """As PyTorch's own, to rounding; to finite differences for a mask of every shape."""
    inputs = [
        _drawn(3, 2, 4, 3),
        _drawn(3, 2, 4, 3) + 0.1,
        _drawn(3, 2, 4, 5),
        *([] if mask is None else [_drawn(*mask)]),
    ]

    def attend(*given: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(*given, scale=scale)

    with DoubleBackward():
        assert gradcheck(attend, inputs)
        assert gradgradcheck(attend, inputs)
    assert _product(attend, inputs) == pytest.approx(_product(attend, inputs, DoubleBackward()), rel=1e-10)


def test_pairs_that_a_mask_forbids() -> None:
    allowed = torch.ones(4, 4, dtype=torch.bool).tril()
    inputs = [_drawn(3, 2, 4, 3), _drawn(3, 2, 4, 3) - 0.2, _drawn(3, 2, 4, 3) * 2]
    for mask in (allowed, torch.zeros(4, 4, dtype=torch.float64).masked_fill(~allowed, float("-inf"))):

        def attend(*given: Tensor, mask: Tensor = mask) -> Tensor:
            return F.scaled_dot_product_attention(*given, attn_mask=mask)

        assert _product(attend, inputs) == pytest.approx(_product(attend, inputs, DoubleBackward()), rel=1e-10)


@pytest.mark.parametrize(
    ("weight", "options"),
    [
        ((6, 4, 3, 3), {}),
        ((6, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
        ((4, 1, 3, 3), {"padding": 2, "dilation": 2, "groups": 4}),
        ((6, 4, 3, 1), {"padding": (2, 0), "dilation": (2, 1)}),
        ((6, 4, 3, 3), {"padding": "same"}),  # no rule: PyTorch's own
    ],
)
def test_convolution(weight: tuple[int, ...], options: dict[str, object]) -> None:
    inputs = [_drawn(2, 4, 5, 5), _drawn(*weight), _drawn(weight[0])]

    def convolve(*given: Tensor) -> Tensor:
        return F.conv2d(*given, **options)  # type: ignore[call-overload, no-any-return]

    with DoubleBackward():
        assert gradcheck(convolve, inputs)
        assert gradgradcheck(convolve, inputs)


def test_batch_norm_in_eval_mode() -> None:
    mean, variance = torch.randn(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64) + 0.5
    inputs = [_drawn(2, 3, 4, 4), _drawn(3), _drawn(3, 1).squeeze(1)]

    def normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.batch_norm(x, mean, variance, weight, bias, eps=0.1)

    with DoubleBackward():
        assert gradcheck(normalise, inputs)
        assert gradgradcheck(normalise, inputs)
        torch.testing.assert_close(F.batch_norm(inputs[0], mean, variance), (inputs[0] - mean[:, None, None]) / (
            variance + 1e-5).sqrt()[:, None, None])  # fmt: skip
    plain = normalise(*inputs)
    with DoubleBackward():
        torch.testing.assert_close(normalise(*inputs), plain)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_batch_norm_goes_into_the_convolution_before_it(biased: bool, groups: int) -> None:
    """As PyTorch's own, and the map between the two is in no graph; unless the weights are larger than it."""
    mean, variance = torch.randn(6, dtype=torch.float64), torch.rand(6, dtype=torch.float64) + 0.5
    weights = [_drawn(6, 4 // groups, 3, 3), *([_drawn(6)] if biased else []), _drawn(6, 1).squeeze(1), _drawn(6) * 2]

    def together(x: Tensor, weight: Tensor, *rest: Tensor) -> Tensor:
        *bias, scale, shift = rest
        y = F.conv2d(x, weight, *bias, stride=2, groups=groups)
        return F.batch_norm(y, mean, variance, scale, shift)

    for side, maps in ((11, 1), (4, 2)):
        inputs = [_drawn(2, 4, side, side), *weights]
        with DoubleBackward():
            result = together(*inputs)
            assert gradcheck(together, inputs)
            assert gradgradcheck(together, inputs)
        torch.testing.assert_close(result, together(*inputs))
        assert _maps(result) == maps
        assert _product(together, inputs) == pytest.approx(_product(together, inputs, DoubleBackward()), rel=1e-10)


def test_a_convolution_whose_map_was_written_into_keeps_its_batch_norm() -> None:
    mean, variance = torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
    inputs = [_drawn(2, 4, 11, 11), _drawn(6, 4, 3, 3)]

    def between(x: Tensor, weight: Tensor) -> Tensor:
        return F.batch_norm(F.conv2d(x, weight).mul_(3), mean, variance)

    def beside(x: Tensor, weight: Tensor) -> Tensor:
        y = F.conv2d(x, weight)
        return F.batch_norm(y, mean, variance) + y.sin()

    for function in (between, beside):
        assert _product(function, inputs) == pytest.approx(_product(function, inputs, DoubleBackward()), rel=1e-10)


@pytest.mark.parametrize("inplace", [False, True])
def test_hard_sigmoid(inplace: bool) -> None:
    """PyTorch has no second derivative of it; the first is as PyTorch's, at the corners too."""
    x = torch.cat([_drawn(40).detach() * 4, torch.tensor([-3.0, 3.0, -7.0, 7.0])]).requires_grad_()

    def squashed(x: Tensor) -> Tensor:
        return F.hardsigmoid(x * 1.0, inplace)  # a leaf cannot be written into

    (expected,) = torch.autograd.grad(squashed(x).square().sum(), x)
    with DoubleBackward():
        y = squashed(x)
        torch.testing.assert_close(y, F.hardsigmoid(x))
        (found,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        smooth = x[:40].detach().requires_grad_()
        assert gradcheck(squashed, smooth)
        assert gradgradcheck(squashed, smooth)
    torch.testing.assert_close(found, expected)


ELEMENTWISE = [
    "celu",
    "elu",
    "gelu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_activation_has_a_second_derivative(name: str) -> None:
    x = (_drawn(30).detach() * 3).requires_grad_()
    with DoubleBackward():
        assert gradgradcheck(getattr(F, name), x)


def _maps(result: Tensor) -> int:
    """How many tensors with four dimensions the nodes of a result's graph keep that are no weights."""
    nodes, kept = [result.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None:
            continue
        named = [getattr(node, name) for name in dir(node) if name.startswith("_saved_")]
        for tensor in [*getattr(node, "saved_tensors", ()), *named]:
            if isinstance(tensor, Tensor) and tensor.dim() == 4 and tensor.shape[0] == len(result):
                kept.add(tensor.data_ptr())
        nodes += [following for following, _ in node.next_functions]
    return len(kept)


def test_nothing_is_changed_outside() -> None:
    with DoubleBackward():
        inside = F.conv2d(_drawn(2, 4, 5, 5), _drawn(6, 4, 3, 3))
    outside = F.conv2d(_drawn(2, 4, 5, 5), _drawn(6, 4, 3, 3))
    assert type(inside.grad_fn).__name__ != type(outside.grad_fn).__name__ == "ConvolutionBackward0"


def _product(function, inputs: list[Tensor], mode: DoubleBackward | None = None) -> list[float]:  # type: ignore[no-untyped-def]
    """A product with the second derivative of a function's squares, flat."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    with sdpa_kernel(SDPBackend.MATH):
        if mode is None:
            y = function(*leaves)
        else:
            with mode:
                y = function(*leaves)
    first = torch.autograd.grad(y.square().sum() + y.sin().sum(), leaves, create_graph=True)
    directions = [torch.cos(torch.arange(x.numel(), dtype=x.dtype)).view(x.shape) for x in leaves]
    second = torch.autograd.grad(first, leaves, directions)
    return torch.cat([x.reshape(-1) for x in second]).tolist()  # type: ignore[no-any-return]
