"""The Hessian of a model's loss on a batch, as an operator on flat vectors, of all parameters or of some."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from archdsl.analyses.curvature.double_backward import DoubleBackward
from archdsl.analyses.curvature.lanczos import Operator
from archdsl.analyses.measuring.exact import Batch, generator
from archdsl.base.errors import RunError, UsageError

Parameters: TypeAlias = Sequence[nn.Parameter]


class LossHessian:
    """The Hessian of NLL + (wd/2)|w|^2 on one batch; called with a flat vector v it gives Hv.

    The graph of the gradient is built here, once, and lives as long as this object: a product is then one pass backward
    through it. (`torch.func`'s second derivatives of an affine LayerNorm are wrong, hence `autograd.grad` twice; fused
    attention has none, hence `DoubleBackward`, and the plain one where that has no rule.)

    Where the whole batch's graph is too large, the graph of a chunk of images is built at a time, again for each
    product: the Hessian of the mean loss is the chunks' mean. That takes less memory and more time.

    Attributes:
        loss: nats.
        params: whose second derivatives these are; vectors are flat, in their order.
        weight_decay: wd.
    """

    def __init__(
        self, model: nn.Module, batch: Batch, params: Parameters, weight_decay: float = 0.0, chunk: int | None = None
    ) -> None:
        """The network, images and labels, what to derive by, wd, and images per chunk (None: all at once)."""
        images, labels = batch
        self.params, self.weight_decay = list(params), weight_decay
        self._model = model
        self._chunks: list[tuple[float, Batch]] = []  # shares of the batch; none where its graph is kept whole
        if chunk is None or chunk >= len(images):
            loss, self._gradient = _graph(model, batch, self.params)
            value = float(loss.detach())
        else:
            pieces = zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True)
            self._chunks = [(len(piece[0]) / len(images), piece) for piece in pieces]
            value, self._gradient = self._summed()
        penalty = 0.5 * weight_decay * sum(float(p.detach().double().square().sum()) for p in self.params)
        self.loss = value + penalty

    def __call__(self, vector: Tensor) -> Tensor:
        """Hv."""
        return self.restricted(range(len(self.params)))(vector)

    def restricted(self, among: Sequence[int]) -> Operator:
        """The rows and columns of some parameters (by their index) alone: v -> Hv, flat in the order of `among`."""
        if self._chunks:
            return self._in_chunks(among)
        params = [self.params[index] for index in among]
        sizes, shapes = [p.numel() for p in params], [p.shape for p in params]
        # Parameters the loss does not depend on, or only linearly, have no second derivative.
        curved = [(place, g) for place, index in enumerate(among) if (g := self._gradient[index]) is not None]
        curved = [(place, g) for place, g in curved if g.requires_grad]

        def product(vector: Tensor) -> Tensor:
            parts = torch.split(vector, sizes)
            directions = [parts[place].view(shapes[place]) for place, _ in curved]
            found: Sequence[Tensor | None] = [None] * len(params)
            if curved:
                outputs = [g for _, g in curved]
                with _derivable():
                    found = torch.autograd.grad(outputs, params, directions, retain_graph=True, allow_unused=True)
            flat = torch.cat(
                [torch.zeros_like(v) if h is None else h.reshape(-1) for h, v in zip(found, parts, strict=True)]
            )
            return flat.add_(vector, alpha=self.weight_decay)

        return product

    def _in_chunks(self, among: Sequence[int]) -> Operator:
        """The same, from the chunks."""

        def product(vector: Tensor) -> Tensor:
            total = vector * self.weight_decay
            for share, piece in self._chunks:
                total.add_(LossHessian(self._model, piece, self.params).restricted(among)(vector), alpha=share)
            return total

        return product

    def _summed(self) -> tuple[float, list[Tensor | None]]:
        """Loss and gradient of the whole batch, no more than a chunk's graph at a time."""
        loss = 0.0
        gradient: list[Tensor | None] = [None] * len(self.params)
        for share, piece in self._chunks:
            part, found = _graph(self._model, piece, self.params, again=False)
            loss += share * float(part.detach())
            for index, g in enumerate(found):
                if g is not None:
                    before = gradient[index]
                    gradient[index] = g.detach() * share if before is None else before.add_(g.detach(), alpha=share)
        return loss, gradient

    def start(self, seed: int, among: Sequence[int] | None = None) -> Tensor:
        """What to start Lanczos with: the gradient, most of which lies along what is sought, and half as much noise.

        Against noise alone it takes one or two products fewer, and skips no large eigenvalue where that one does in 1%
        of all runs (15 dense spectra of small networks, 25 starts each).
        """
        among = range(len(self.params)) if among is None else among
        params = [self.params[index] for index in among]
        draws = generator(seed)
        noise = torch.randn(sum(p.numel() for p in params), generator=draws).to(params[0])
        gradients = [self._gradient[index] for index in among]
        gradient = torch.cat(
            [
                torch.zeros_like(p).reshape(-1) if g is None else g.reshape(-1)
                for g, p in zip(gradients, params, strict=True)
            ]
        ).detach()
        length = torch.linalg.vector_norm(gradient)
        if not bool(torch.isfinite(length)) or not bool(length > 0):
            return noise
        start: Tensor = gradient / length + 0.5 * noise / torch.linalg.vector_norm(noise)
        return start


def _graph(
    model: nn.Module, batch: Batch, params: Parameters, *, again: bool = True
) -> tuple[Tensor, Sequence[Tensor | None]]:
    """The loss of a batch and its gradient, which can be derived `again`."""
    with _derivable(), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), DoubleBackward():
        loss = F.cross_entropy(model(batch[0]), batch[1])
        return loss, torch.autograd.grad(loss, params, create_graph=again, allow_unused=True)


# What PyTorch says of a function that has no derivative, or no second one.
_NO_DERIVATIVE = re.compile(
    r"derivative for '?(?:aten::)?(\w+?)(?:_backward)?'? is not implemented|differentiate twice"
)


@contextlib.contextmanager
def _derivable() -> Iterator[None]:
    """Turn a layer's lack of a derivative into an error that names it."""
    try:
        yield
    except RuntimeError as error:  # NotImplementedError is one
        said = _NO_DERIVATIVE.search(str(error))
        if said is None and not isinstance(error, NotImplementedError):
            raise
        function = "some layer" if said is None else f"the function '{said[1]}'"
        raise RunError(
            f"the network has no Hessian: {function} has no second derivative in PyTorch "
            f"({str(error).strip().partition(chr(10))[0]})",
            "leave the analyses of the Hessian out, or write that function in others",
        ) from error


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters whose curvature is asked for.

    Raises:
        UsageError: the model has none.
    """
    params = [p for p in model.parameters() if p.requires_grad]
    if not params:
        raise UsageError("the model has no parameter that requires a gradient, so it has no Hessian")
    return params


def check_loss(loss: float, number: int) -> None:
    """Raises RunError where the loss of the batch is not finite."""
    if not abs(loss) < float("inf"):
        raise RunError(
            f"the loss of batch {number} is {loss}, so it has no Hessian",
            "was the network trained with too high a learning rate?",
        )


def check_symmetry(asymmetry: float, number: int, dtype: torch.dtype) -> None:
    """Every run probes its own Hessian: an unsymmetric one has no spectrum to report."""
    bound = float(torch.finfo(dtype).eps) ** 0.5
    if not asymmetry <= bound:
        raise RunError(
            f"the Hessian of batch {number} is not symmetric: |u.Hv - v.Hu| / (|u| |Hv|) is {asymmetry:.1e}, "
            f"above {bound:.1e}",
            "some layer's second derivative is wrong or random: a custom autograd function, dropout that ignores eval "
            "mode, or half precision inside",
        )
