"""Finds the extreme eigenvalues of a symmetric operator, of which only products with vectors are known: Lanczos.

Full reorthogonalisation: in float32 the plain three-term recurrence loses orthogonality within a dozen steps and then
shows every converged eigenvalue again as a ghost. The projected matrix is kept and decomposed in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from archdsl.base.errors import RunError
from archdsl.base.interrupts import ask

Floats = NDArray[np.float64]
Operator = Callable[[Tensor], Tensor]

# Multiples of the machine epsilon below which, relative to the operator's norm, a number is rounding.
ROUNDING = 32.0

_BLOCK = 8  # vectors of a basis allocated at once


@dataclass(frozen=True)
class Krylov:
    """What m steps of Lanczos know about an operator A of n x n: Q' A Q = tridiagonal, and how far that carries.

    Attributes:
        diagonal: (m,) of the tridiagonal matrix.
        offdiagonal: (m,) its off-diagonal; the last entry is the norm of what is left outside the subspace.
        norm: lower bound of |A|: the largest |Aq| seen.
        rounding: size of an eigenvalue that cannot be told from 0.
        asymmetry: largest |q_i.Aq_j - q_j.Aq_i| / |A| met on the way; far above rounding: A is not symmetric.
    """

    diagonal: Floats
    offdiagonal: Floats
    norm: float
    rounding: float
    asymmetry: float

    @property
    def steps(self) -> int:
        """Products with A that were spent."""
        return len(self.diagonal)

    def ritz(self) -> tuple[Floats, Floats]:
        """Ritz values (m,), ascending, and the norm of each one's residual |Ay - theta y| (m,).

        An eigenvalue of A lies within a residual's distance of its Ritz value, always; where the spectrum has gaps,
        within about its square over the gap (Parlett, The Symmetric Eigenvalue Problem, 1998, ch. 11).
        """
        values, vectors = eigh_tridiagonal(self.diagonal, self.offdiagonal[:-1])
        return values, np.abs(self.offdiagonal[-1] * vectors[-1])

    def quadrature(self) -> tuple[Floats, Floats]:
        """Nodes (m,), ascending, and weights (m,) that add up to 1: v'f(A)v = sum of weight f(node), v the start.

        Gauss's rule for the spectrum as the unit vector v sees it, exact for polynomials f up to degree 2m - 1 (Golub &
        Welsch 1969); for a random v it is an estimate of trace f(A) / n.
        """
        nodes, vectors = eigh_tridiagonal(self.diagonal, self.offdiagonal[:-1])
        return nodes, vectors[0] ** 2


@dataclass(frozen=True)
class Extremes:
    """The k eigenvalues of largest magnitude, and both ends of the spectrum.

    Attributes:
        values: (k,) by falling magnitude; those below rounding are exactly 0.
        residuals: (k,) |Ay - theta y| / |theta|; 0 where the value is 0.
        smallest: most negative Ritz value of the run (an upper bound of the smallest eigenvalue).
        largest: largest Ritz value (a lower bound of the largest eigenvalue).
        krylov: the run they came from.
    """

    values: Floats
    residuals: Floats
    smallest: float
    largest: float
    krylov: Krylov


def top(operator: Operator, start: Tensor, k: int, *, tol: float = 1e-3, limit: int = 200) -> Extremes:
    """The k eigenvalues of largest magnitude.

    Stops when the residual of each is at most `tol` of it, but never before 2k + 2 steps: a looser stop is content
    with k converged values while a larger one has not surfaced yet. A repeated eigenvalue is found once only, unless
    the run meets an invariant subspace.

    Args:
        operator: v (n,) -> Av (n,), symmetric.
        start: (n,) any vector with a component along what is sought; random is right. Sets dtype and device.
        k: how many, at most n.
        tol: relative residual.
        limit: products after which to stop in any case; `residuals` then say what was reached.

    Raises:
        RunError: the operator returned a number that is not finite.

    >>> spectrum = torch.linspace(-1.0, 9.0, 100, dtype=torch.float64)
    >>> top(lambda v: spectrum * v, torch.ones(100, dtype=torch.float64), 2, tol=1e-8).values.round(3).tolist()
    [9.0, 8.899]
    """

    def settled(run: Krylov) -> bool:
        return run.steps >= 2 * k + 2 and bool((_largest(run, k)[1] <= tol).all())

    run = lanczos(operator, start, settled, limit=max(limit, 2 * k + 2))
    values, residuals = _largest(run, k)
    ends = run.ritz()[0]
    return Extremes(values, residuals, float(ends[0]), float(ends[-1]), run)


def _largest(run: Krylov, k: int) -> tuple[Floats, Floats]:
    """The k Ritz values of largest magnitude with relative residuals, both 0 at the level of rounding."""
    values, residuals = run.ritz()
    order = np.argsort(-np.abs(values), kind="stable")[:k]
    values, residuals = values[order], residuals[order]
    values[np.abs(values) <= run.rounding] = 0.0
    relative = np.divide(residuals, np.abs(values), out=np.zeros_like(values), where=values != 0)
    relative[residuals <= run.rounding] = 0.0  # as far as this arithmetic can see
    return values, relative


def lanczos(operator: Operator, start: Tensor, settled: Callable[[Krylov], bool], *, limit: int) -> Krylov:
    """Run Lanczos until `settled`, until `limit` products, or until the space is exhausted (exact then).

    Where the Krylov space closes early (an invariant subspace), it goes on from a random vector orthogonal to it, so
    that an unlucky start or a repeated eigenvalue hides nothing.
    """
    size, epsilon = start.numel(), float(torch.finfo(start.dtype).eps)
    generator = torch.Generator().manual_seed(0)  # for restarts; CPU: the same draws on every device
    basis = _Basis(start / _norm(start))
    diagonal: list[float] = []
    offdiagonal: list[float] = []
    norm = asymmetry = 0.0
    last = min(limit, size)
    for step in range(1, last + 1):
        ask()
        rest = operator(basis.last)
        rest, overlaps = basis.reject(rest)
        rest, _ = basis.reject(rest)  # twice is enough (Parlett 1998, 6.9)
        # One transfer for all that the host needs to know of this step.
        reached, *along = torch.cat([_norm(rest)[None], overlaps]).tolist()
        if not np.isfinite(reached):
            raise RunError(
                "the product of the operator with a vector is not finite", "look for inf or nan in the weights"
            )
        norm = max(norm, float(np.linalg.norm([reached, *along])))
        # A symmetric operator gives 0 against all but the last two vectors, the known number against the last but one.
        expected = [0.0] * (step - 2) + offdiagonal[-1:]
        asymmetry = max([asymmetry, *(abs(a - e) for a, e in zip(along, expected, strict=False))])
        closed = reached <= ROUNDING * epsilon * norm
        diagonal.append(along[-1])
        offdiagonal.append(0.0 if closed or step == size else reached)
        run = Krylov(
            np.array(diagonal), np.array(offdiagonal), norm, ROUNDING * epsilon * norm, asymmetry / (norm or 1.0)
        )
        if step == last or settled(run):
            return run
        basis.append(_orthogonal(basis, generator) if closed else rest / reached)
    raise AssertionError("unreachable: the last step returns")


class _Basis:
    """Orthonormal vectors (n,), in blocks, so that one more needs no copy of those there are."""

    def __init__(self, first: Tensor) -> None:
        self.blocks: list[Tensor] = []
        self.count = 0
        self.append(first)

    def append(self, vector: Tensor) -> None:
        place = self.count % _BLOCK
        if place == 0:
            self.blocks.append(vector.new_empty(_BLOCK, len(vector)))
        self.last = self.blocks[-1][place]
        self.last.copy_(vector)
        self.count += 1

    def reject(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """What is left of a vector outside the space they span, and its products with each of them in float64."""
        found = []
        for number, block in enumerate(self.blocks):
            rows = block[: self.count - number * _BLOCK]
            found.append(_overlaps(rows, vector))
        overlaps = torch.cat(found)
        for number, block in enumerate(self.blocks):
            rows = block[: self.count - number * _BLOCK]
            part = overlaps[number * _BLOCK : number * _BLOCK + len(rows)]
            vector = torch.addmv(vector, rows.T, part.to(vector), alpha=-1)
        return vector, overlaps


def _orthogonal(basis: _Basis, generator: torch.Generator) -> Tensor:
    """A random unit vector orthogonal to all of the basis."""
    vector = torch.randn(len(basis.last), generator=generator, dtype=torch.float64).to(basis.last)
    for _ in range(3):  # more than twice: what is left may be small when the basis is nearly full
        vector, _ = basis.reject(vector)
        vector = vector / _norm(vector)
    return vector


def _overlaps(basis: Tensor, vector: Tensor) -> Tensor:
    """Products of the basis (m, n) with a vector (n,), in float64 (m,).

    On CPU in short pieces: BLAS adds up long float32 rows one by one there, which is off by up to 1e-4 at a million
    entries. A GPU adds up in a tree.
    """
    if vector.device.type != "cpu" or vector.dtype == torch.float64:
        return (basis @ vector).double()
    pieces = zip(torch.split(basis, 8192, dim=1), torch.split(vector, 8192), strict=True)
    return torch.stack([part @ entries for part, entries in pieces]).double().sum(0)


def _norm(vector: Tensor) -> Tensor:
    """Length, accumulated in float64: PyTorch's float32 norm on CPU is off by 1e-4 at a million entries."""
    length: Tensor = torch.linalg.vector_norm(vector, dtype=torch.float64)
    return length
