"""Lanczos alone, on operators whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from archdsl.analyses.curvature.lanczos import lanczos, top
from archdsl.base.errors import RunError


def _matrix(spectrum: list[float] | np.ndarray, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """A dense symmetric matrix with this spectrum and random eigenvectors."""
    values = torch.as_tensor(np.asarray(spectrum), dtype=torch.float64)
    rotation = torch.linalg.qr(
        torch.randn(len(values), len(values), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ).Q
    return ((rotation * values) @ rotation.T).to(dtype)


def _start(size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(7), dtype=torch.float64).to(dtype)


SPECTRUM = np.concatenate([[50.0, 31.0, -27.0, 12.0, -8.0], np.linspace(-1, 4, 195)])


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_known_spectrum(dtype: torch.dtype, error: float) -> None:
    matrix = _matrix(SPECTRUM, dtype=dtype)
    found = top(lambda v: matrix @ v, _start(200, dtype), 5)
    assert found.values == pytest.approx([50.0, 31.0, -27.0, 12.0, -8.0], rel=max(error, 1e-6))
    assert (found.residuals <= 1e-3).all()
    assert found.largest == pytest.approx(50)
    assert found.smallest == pytest.approx(-27)
    assert found.krylov.asymmetry < 100 * torch.finfo(dtype).eps


def test_dominant_negative_eigenvalue_comes_first() -> None:
    matrix = _matrix([-9.0, 5.0, *np.linspace(0, 1, 60)])
    assert top(lambda v: matrix @ v, _start(62), 2, tol=1e-6).values == pytest.approx([-9, 5])


def test_agrees_with_scipy() -> None:
    matrix = _matrix(np.random.default_rng(3).standard_cauchy(150))
    operator = LinearOperator((150, 150), matvec=lambda v: (matrix @ torch.from_numpy(v)).numpy(), dtype=np.float64)
    expected = eigsh(operator, k=6, which="LM", return_eigenvectors=False)
    found = top(lambda v: matrix @ v, _start(150), 6, tol=1e-7).values
    assert np.sort(found) == pytest.approx(np.sort(expected), rel=1e-9)


def test_residuals_bound_the_error() -> None:
    matrix = _matrix(SPECTRUM)
    found = top(lambda v: matrix @ v, _start(200), 5, tol=0.0, limit=14)
    true = np.linalg.eigvalsh(matrix.numpy())
    for value, residual in zip(found.values, found.residuals, strict=True):
        assert np.abs(true - value).min() <= residual * abs(value) + 1e-9
    assert found.krylov.steps == 14


def test_a_long_run_in_float32_shows_no_ghosts() -> None:
    matrix = _matrix(SPECTRUM, dtype=torch.float32)
    values, _ = lanczos(lambda v: matrix @ v, _start(200, torch.float32), lambda run: False, limit=120).ritz()
    assert (values > 40).sum() == 1
    assert ((values > 25) & (values < 40)).sum() == 1


def test_never_stops_before_2k_plus_2_steps() -> None:
    matrix = _matrix([100.0, *([1.0] * 99)])
    assert top(lambda v: matrix @ v, _start(100), 5, tol=10.0).krylov.steps == 12


def test_invariant_subspace_is_left() -> None:
    """Started at an eigenvector of the second largest eigenvalue, the first step closes; the largest is found still."""
    spectrum = torch.arange(1.0, 41.0, dtype=torch.float64)
    start = torch.zeros(40, dtype=torch.float64)
    start[38] = 1
    assert top(lambda v: spectrum * v, start, 3, tol=1e-9).values == pytest.approx([40, 39, 38])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_low_rank_repeated_and_zero(dtype: torch.dtype) -> None:
    low = _matrix([3.0, -2.0, *([0.0] * 48)], dtype=dtype)
    found = top(lambda v: low @ v, _start(50, dtype), 4)
    assert found.values == pytest.approx([3, -2, 0, 0], rel=1e-5)
    assert (found.values[2:] == 0).all()  # rounding is neither positive nor negative
    assert top(lambda v: 2 * v, _start(50, dtype), 4).values == pytest.approx([2, 2, 2, 2], rel=1e-6)
    zero = top(lambda v: 0 * v, _start(50, dtype), 4)
    assert (zero.values == 0).all()
    assert (zero.residuals == 0).all()


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_smaller_than_the_steps_wanted_is_exact(size: int) -> None:
    matrix = _matrix(np.arange(1.0, size + 1))
    k = min(size, 5)
    found = top(lambda v: matrix @ v, _start(size), k)
    assert found.values == pytest.approx(np.arange(size, size - k, -1.0), rel=1e-10)
    assert found.krylov.steps == size


def test_unsymmetric_operators_show() -> None:
    matrix = _matrix(SPECTRUM)
    skewed = matrix + 1e-4 * torch.randn(200, 200, generator=torch.Generator().manual_seed(1)).double().triu()
    assert top(lambda v: matrix @ v, _start(200), 5).krylov.asymmetry < 1e-13
    assert top(lambda v: skewed @ v, _start(200), 5).krylov.asymmetry > 1e-7


def test_numbers_that_are_not_finite() -> None:
    with pytest.raises(RunError, match="not finite"):
        top(lambda v: v * torch.inf, _start(10), 2)
