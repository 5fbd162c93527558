"""Finds the timm model of a name, with its pretrained weights or without any."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from archdsl.base.errors import RunError, WeightsError, did_you_mean

ELSEWHERE = ("hf_hub:", "hf-hub:", "local-dir:")  # timm looks these up itself

FILES = (".safetensors", ".pth", ".pt", ".bin", ".tar")  # endings of weights, not tags of timm's


def blank(name: str) -> Mapping[str, Tensor] | None:
    """Names and shapes of a model's weights, without memory for them; None for a model from elsewhere.

    Raises:
        WeightsError: timm has no model of that name, or no weights for it.
    """
    import timm

    if name.startswith(ELSEWHERE):
        return None
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        help = did_you_mean(architecture, timm.list_models()) or "timm.list_models() lists all names"
        if name.endswith(FILES):
            help = "a file is read first: safetensors.torch.load_file(…) or torch.load(…, weights_only=True)"
        raise WeightsError(f"timm has no model '{name}'", help)
    known = timm.list_pretrained(architecture)
    if not known:
        raise WeightsError(
            f"timm has no pretrained weights for '{name}'",
            "hand in a model or a state dict: load_timm(model, timm.create_model(…))",
        )
    if tag and name not in known:
        raise WeightsError(f"timm has no weights '{tag}' for '{architecture}'", f"it has {', '.join(known)}")
    with torch.device("meta"):
        model: nn.Module = timm.create_model(name)
    state: Mapping[str, Tensor] = model.state_dict()
    return state


def pretrained(name: str) -> nn.Module:
    """The model with its pretrained weights, fetched where they are not on this machine.

    Raises:
        RunError: they could not be fetched.
    """
    import timm

    try:
        model: nn.Module = timm.create_model(name, pretrained=True)
    except Exception as error:  # timm, the hub and the network raise whatever they like
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RunError(
            f"the weights of timm's '{name}' could not be fetched: {reason}",
            "they are fetched once, over the network; or hand in a state dict: load_timm(model, state_dict)",
        ) from None
    return model
