"""Fills a compiled spec with the weights of the published model that it describes (`load_timm`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from archdsl.base.errors import UsageError, WeightsError
from archdsl.interchange.pretrained import named
from archdsl.interchange.pretrained.carry import CLASSIFIER, carry, unwrapped
from archdsl.network.model import Network

TOLERANCE = 0.01  # of the largest output; kernels and devices differ by less, networks by more


def load_timm(model: nn.Module, source: str | Mapping[str, Tensor] | nn.Module, *, classifier: bool = True) -> Network:
    """Fills a compiled spec with the weights of the timm model (or torchvision ResNet) that it describes.

    Every parameter and buffer of both sides has to be used, once. Where a model is at hand, not only its weights, both
    networks are asked about one image of noise: weights can fit a network that computes something else.

    Args:
        model: a compiled spec, as `archdsl.compile` gives it.
        source: the name of a timm model, whose pretrained weights are fetched as by `timm.create_model(name,
            pretrained=True)`; a model; or a state dict. Names may begin with what DataParallel (`module.`) and
            torch.compile (`_orig_mod.`) put before them.
        classifier: False leaves out the last layer, for a spec with other classes.

    Returns:
        The same network.

    Raises:
        WeightsError: the weights do not fit, and the first that do not are named; there is no such name; the networks
            differ. The network is as it was.
        RunError: the weights could not be fetched.

    >>> import archdsl, timm
    >>> network = archdsl.compile("resnet_18_224")
    >>> theirs = timm.create_model("resnet18")  # pretrained=True would fetch its weights
    >>> load_timm(network, theirs) is network
    True
    """
    if not isinstance(model, Network):
        raise UsageError(
            f"load_timm fills a compiled spec, not a {type(model).__name__}", "compile one: archdsl.compile(…)"
        )
    if isinstance(source, str):
        blank = named.blank(source)
        if blank is not None:  # say that it does not fit before anything is fetched
            carry(model, blank, classifier=classifier)
        source = named.pretrained(source)
    state = source.state_dict() if isinstance(source, nn.Module) else source
    if not isinstance(state, Mapping):
        raise UsageError(
            f"weights are a name, a state dict or a module, not a {type(state).__name__}",
            "to take them from a file: safetensors.torch.load_file(…) or torch.load(…, weights_only=True)",
        )
    state = unwrapped(state)
    weights = carry(model, state, classifier=classifier)
    if any(tensor.is_meta for tensor in weights.values()):
        raise WeightsError("these weights have names and shapes only: they are on the meta device")
    if isinstance(source, nn.Module):
        _require_same(model, weights, source, classifier)
    model.load_state_dict({**model.state_dict(), **weights}, strict=True)
    return model


def _require_same(ours: Network, weights: Mapping[str, Tensor], theirs: nn.Module, classifier: bool) -> None:
    """Raise WeightsError unless both networks say the same about an image of noise, in float32."""
    dtype = next(theirs.parameters()).dtype
    if dtype not in (torch.float32, torch.float64):
        return  # its own rounding would be the difference
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, *ours.architecture.input, generator=generator)
    with torch.no_grad(), _evaluating(ours, theirs):
        try:
            expected = _logits(theirs, image.to(next(theirs.parameters())), classifier).float().cpu()
        except Exception as error:  # a model of any origin may raise anything
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise WeightsError(
                f"the model does not take the images of '{ours.architecture.name}': {reason}",
                "hand in its state dict, if its weights are wanted all the same",
            ) from None
        device = next(ours.parameters()).device
        placed = {n: t.to(device, torch.float32 if t.is_floating_point() else t.dtype) for n, t in weights.items()}
        image = image.to(device)
        found = functional_call(ours if classifier else _Features(ours), _named(placed, classifier), (image,))
    difference, largest = float((expected - found.float().cpu()).abs().max()), float(expected.abs().max())
    if not difference <= TOLERANCE * largest:
        raise WeightsError(
            f"the weights fit '{ours.architecture.name}', but the two networks differ: by up to {difference:.3g} where "
            f"outputs go up to {largest:.3g}",
            "look for another padding, activation, epsilon or order of channels; a state dict is taken unseen",
        )


class _Features(nn.Module):
    """A network up to its classifier."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to what the classifier gets (B, C')."""
        x = self.network.forward_features(x)
        for name, module in self.network.head.named_children():
            if not CLASSIFIER.startswith(f"head.{name}."):
                x = module(x)
        return x


def _named(weights: dict[str, Tensor], classifier: bool) -> dict[str, Tensor]:
    return weights if classifier else {f"network.{name}": tensor for name, tensor in weights.items()}


def _logits(theirs: Any, image: Tensor, classifier: bool) -> Tensor:
    """What timm's model says, or what its classifier would get."""
    if classifier or not hasattr(theirs, "forward_head"):
        return theirs(image)  # type: ignore[no-any-return]
    return theirs.forward_head(theirs.forward_features(image), pre_logits=True)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _evaluating(*models: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards for every module the mode it was in."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
