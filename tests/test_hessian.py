"""The Hessian spectrum against closed forms, dense Hessians and finite differences, in float64."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import LinearOperator, eigsh
from small_networks import hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import archdsl
from archdsl.analyses.curvature.loss_hessian import LossHessian
from archdsl.analyses.hessian import measure
from archdsl.analyses.measuring.parts import Parts
from archdsl.analyses.results.hessian import HessianResult
from archdsl.base.errors import RunError, UsageError

TIGHT = 1e-7


def dense(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The Hessian row by row, by double backward in a loop over the gradient's entries, in eval mode."""
    model = copy.deepcopy(model).eval()
    params = [p for p in model.parameters() if p.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        loss = F.cross_entropy(model(batch[0]), batch[1])
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, params, create_graph=True)])
    rows = [torch.autograd.grad(entry, params, retain_graph=True, materialize_grads=True) for entry in gradient]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])


@functools.cache
def dense_hybrid() -> Tensor:
    return dense(hybrid(4), images(3))  # a seed whose largest eigenvalue is negative


def largest(matrix: Tensor, k: int) -> np.ndarray:
    values = np.linalg.eigvalsh(matrix.numpy())
    return values[np.argsort(-np.abs(values))][:k]


def test_softmax_regression_in_closed_form() -> None:
    """H = mean over images of (diag(p) - p p') (x) (x x')."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 4, bias=False)).double()
    x, labels = images(20, side=3, classes=4)
    p = model(x).softmax(1).detach()
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    outer = x.flatten(1)[:, :, None] * x.flatten(1)[:, None, :]
    expected = torch.einsum("nij,nkl->ikjl", inner, outer).reshape(36, 36) / 20
    found = measure(model, [(x, labels)], k=5, tol=TIGHT)
    assert found.eigenvalues[0] == pytest.approx(largest(expected, 5), rel=1e-8)
    assert found.scores()["nep"] == 0  # convex
    assert found.scores()["ncr"] == pytest.approx(0, abs=1e-12)


def test_dense_hessian_of_a_hybrid() -> None:
    """LayerNorm, BatchNorm with running statistics, fused attention and strided conv in one network."""
    exact = dense_hybrid()
    found = measure(hybrid(4), [images(3)], k=5, tol=TIGHT)
    assert found.params == len(exact) == 324
    assert found.eigenvalues[0] == pytest.approx(largest(exact, 5), rel=1e-5)
    assert found.largest[0] == pytest.approx(np.linalg.eigvalsh(exact.numpy())[-1], rel=1e-5)
    assert found.smallest[0] >= np.linalg.eigvalsh(exact.numpy())[0] - 1e-9
    assert found.asymmetry[0] < 1e-12


def test_dominant_negative_eigenvalue_in_a_hybrid() -> None:
    values = largest(dense_hybrid(), 3)
    assert values[0] < 0  # or the test tests nothing
    found = measure(hybrid(4), [images(3)], k=3, tol=TIGHT)
    assert found.eigenvalues[0] == pytest.approx(values, rel=1e-5)
    assert found.smallest[0] == found.eigenvalues[0, 0]
    assert found.scores()["nep"] == pytest.approx((values < 0).mean())
    assert found.scores()["ncr"] > 1


def _differences(model: nn.Module, batch: tuple[Tensor, Tensor]) -> float:
    """Relative distance of a Hessian product from central differences of the gradient."""
    params = list(model.eval().parameters())
    generator = torch.Generator().manual_seed(1)
    vector = torch.randn(sum(p.numel() for p in params), generator=generator, dtype=torch.float64)
    vector = F.normalize(vector, dim=0)

    def gradient(step: float) -> Tensor:
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for p, d in zip(moved.parameters(), vector.split([p.numel() for p in params]), strict=True):
                p.add_(step * d.view_as(p))
        loss = F.cross_entropy(moved(batch[0]), batch[1])
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(moved.parameters()))])

    product = LossHessian(model, batch, params)
    numeric = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    return float((product(vector) - numeric).norm() / numeric.norm())


def test_products_agree_with_finite_differences() -> None:
    """Independent of double backward, whose LayerNorm is the trap (wrong in `torch.func`)."""
    assert _differences(hybrid(), images()) < 1e-6


@pytest.mark.parametrize(
    "blocks",
    [
        "basic(act=gelu) C(act=silu)",
        "bottleneck(expansion=2, act=gelu)",
        "M(head_dim=4)",
        "M(head_dim=4, window=4, expansion=2)",
        "T",
        "T(window=4, rel_pos=true) T(window=4, shift=true)",
        "T(local=3)",
    ],
)
def test_every_block_of_the_language(blocks: str) -> None:
    """Smooth activations: a difference across the kink of a ReLU is no derivative."""
    text = f"input 1x8x8 classes 3 stem conv(8) stage(8)[{blocks}] head norm(kind=ln) gap linear"
    torch.manual_seed(0)
    model = archdsl.compile(text).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    batch = images(3)
    assert _differences(model, batch) < 1e-6
    assert measure(model, [batch], k=2).asymmetry[0] < 1e-11


def test_weight_decay_shifts_exactly() -> None:
    model, batch = hybrid(4), images(3)
    values = np.linalg.eigvalsh(dense_hybrid().numpy()) + 0.7
    found = measure(model, [batch], k=4, weight_decay=0.7, tol=TIGHT)
    assert found.eigenvalues[0] == pytest.approx(values[np.argsort(-np.abs(values))][:4], rel=1e-6)
    norm = sum(p.square().sum().item() for p in model.parameters())
    assert found.loss[0] == pytest.approx(F.cross_entropy(model.eval()(batch[0]), batch[1]).item() + 0.35 * norm)


def test_scipy_on_the_same_operator() -> None:
    model, batch = hybrid(2).eval(), images(4, seed=2)
    params = list(model.parameters())
    size = sum(p.numel() for p in params)
    product = LossHessian(model, batch, params)
    operator = LinearOperator((size, size), matvec=lambda v: product(torch.from_numpy(v.ravel())).numpy())
    expected = eigsh(operator, k=5, which="LM", return_eigenvectors=False, tol=1e-9)
    found = measure(model, [batch], k=5, tol=TIGHT).eigenvalues[0]
    assert np.sort(found) == pytest.approx(np.sort(expected), rel=1e-6)


def test_float32_at_the_default_tolerance() -> None:
    model, batch = hybrid(4), images(3)
    exact = largest(dense_hybrid(), 5)
    found = measure(model.float(), [(batch[0].float(), batch[1])])
    assert found.eigenvalues[0] == pytest.approx(exact, rel=1e-3)
    assert (found.residuals <= 1e-3).all()
    assert found.asymmetry[0] < 1e-5
    assert found.products[0] >= 12


def test_one_image_and_one_eigenvalue() -> None:
    model = _tiny()
    found = measure(model, [images(1)], k=1, tol=TIGHT)
    assert found.eigenvalues[0] == pytest.approx(largest(dense(model, images(1)), 1), rel=1e-6)
    assert found.standard_errors() == {}


def test_the_same_seed_gives_the_same_numbers() -> None:
    batches = [images(4, dtype=torch.float32)]
    model = hybrid(dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu"):  # neither gets in
        first = measure(model, batches, seed=5)
    assert (first.eigenvalues == measure(model, batches, seed=5).eigenvalues).all()
    assert measure(model, batches, seed=6).eigenvalues == pytest.approx(first.eigenvalues, rel=1e-3)


def test_the_model_is_left_as_found() -> None:
    model = hybrid()
    model.stage1[0].eval()
    model.stem.weight.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    found = measure(model, [images()])
    assert found.params == sum(p.numel() for p in model.parameters()) - model.stem.weight.numel()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert (model.head.weight.grad == 1).all()
    assert model.head.bias.grad is None
    assert [p.requires_grad for p in model.parameters()].count(False) == 1


def test_frozen_and_unused_parameters() -> None:
    model = hybrid()
    for parameter in (*model.stage1.parameters(), *model.stage2[0].parameters()):
        parameter.requires_grad_(False)
    expected = largest(dense(model, images()), 3)
    model.spare = nn.Linear(3, 3).double()  # the loss does not depend on it: rows of zeros
    found = measure(model, [images()], k=3, tol=TIGHT)
    assert found.eigenvalues[0] == pytest.approx(expected, rel=1e-6)


class _Skewed(torch.autograd.Function):
    """Tanh that passes gradients on but not their own dependence on the weights behind."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient.detach() * (1 - ctx.saved_tensors[0].tanh() ** 2)


class _Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _Skewed.apply(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_unsymmetric_hessian_is_an_error(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), _Wrong(), nn.Linear(5, 3)).to(dtype)
    with pytest.raises(RunError, match="not symmetric") as caught:
        measure(model, [images(dtype=dtype)])
    assert "custom autograd function" in (caught.value.help or "")


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3, bias=False)).double()


def _poisoned() -> nn.Module:
    model = _tiny()
    nn.init.constant_(model[1].weight, float("nan"))
    return model


def _frozen() -> nn.Module:
    return _tiny().requires_grad_(False)


@pytest.mark.parametrize(
    ("model", "batches", "k", "error", "message"),
    [
        (_tiny(), [images()], 193, UsageError, "193 eigenvalues asked of a Hessian of 192 x 192"),
        (_tiny(), [images()], 0, UsageError, "0 eigenvalues"),
        (_frozen(), [images()], 1, UsageError, "has no Hessian"),
        (_tiny(), [], 1, UsageError, "no batches"),
        (_tiny(), [(images()[0][:0], images()[1][:0])], 1, UsageError, "0 images"),
        (_tiny(), [(images()[0], images()[1][:2])], 1, UsageError, "6 images and 2 labels"),
        (_tiny().bfloat16(), [images()], 1, UsageError, "neither float32 nor float64"),
        (_poisoned(), [images()], 1, RunError, "the loss of batch 1 is nan"),
    ],
)
def test_bad_input(
    model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], k: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        measure(model, batches, k=k)
    assert model.training


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_products_in_chunks_are_the_same(chunk: int) -> None:
    model, batch = hybrid(4).eval(), images(5)
    params = list(model.parameters())
    whole, pieces = (LossHessian(model, batch, params, 0.3, size) for size in (None, chunk))
    vector = torch.randn(324, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert pieces.loss == pytest.approx(whole.loss, rel=1e-12)
    torch.testing.assert_close(pieces(vector), whole(vector), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(pieces.start(3), whole.start(3), rtol=1e-10, atol=1e-12)
    some = [3, 7, 8]
    short = vector[: sum(params[index].numel() for index in some)]
    torch.testing.assert_close(pieces.restricted(some)(short), whole.restricted(some)(short), rtol=1e-10, atol=1e-12)


def test_where_memory_runs_out_the_batch_is_taken_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batches = hybrid(4), [images(6), images(5, seed=2)]
    expected = measure(model, batches, tol=TIGHT)
    forward, seen = model.forward, []

    def small(x: Tensor) -> Tensor:
        seen.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(x)

    monkeypatch.setattr(model, "forward", small)
    found = measure(model, batches, tol=TIGHT)
    assert found.eigenvalues == pytest.approx(expected.eigenvalues, rel=1e-6)
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    assert [size for size in seen if size > 2] == [6, 3]  # and never again
    seen.clear()
    parts = Parts()
    for count in (1, 2):  # as a race does
        again = measure(model, batches[:count], tol=TIGHT, parts=parts)
    assert (again.eigenvalues == found.eigenvalues).all()
    assert [size for size in seen if size > 2] == [6, 3]


def test_running_out_of_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _tiny()

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(RunError, match="memory ran out in the Hessian spectrum") as caught:
        measure(model, [images()])
    assert caught.value.help == "use smaller batches"


def _result(eigenvalues: list[list[float]]) -> HessianResult:
    values = np.array(eigenvalues)
    none = np.zeros(len(values))
    return HessianResult(values, np.zeros_like(values), values.min(1) - 1, values.max(1), none, none, none, 10, 16, 0.0)


def test_scores_and_their_errors() -> None:
    found = _result([[8.0, -4.0, 2.0], [6.0, 4.0, 0.0]])
    assert found.scores() == pytest.approx(
        {"ape": 5.0, "log_ape": np.log(5), "nep": 1 / 6, "ncr": (5 / 8 + 1 / 6) / 2, "lambda_max": 7.0}
    )
    errors = found.standard_errors()
    assert errors["lambda_max"] == pytest.approx(1.0)  # |8 - 6| / 2
    assert errors["nep"] == pytest.approx(1 / 6)
    assert set(errors) == set(found.scores())


def test_a_spectrum_without_positive_eigenvalues_has_no_ape() -> None:
    assert set(_result([[-3.0, -1.0], [-2.0, -1.0]]).scores()) == {"nep", "lambda_max"}
