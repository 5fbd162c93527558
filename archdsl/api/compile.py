"""Compiles a spec to a PyTorch network."""

from __future__ import annotations

from pathlib import Path

from archdsl.language.sources import read_spec
from archdsl.network import resolve_model
from archdsl.network.model import Network, build


def compile(text_or_path: str | Path) -> Network:
    """The PyTorch model of a spec without holes.

    Args:
        text_or_path: a `.arch` text, a path, or the name of a shipped spec.

    Returns:
        A plain `nn.Module` with freshly initialised weights; images (B, C, H, W) in, logits (B, classes) out.

    Raises:
        SpecError: the spec is wrong, has holes, or breaks its own requirements.

    >>> model = compile("stage(16)[C M]")
    >>> sum(p.numel() for p in model.parameters()) == model.architecture.params
    True
    """
    source = read_spec(text_or_path)
    return build(resolve_model(source.spec(), source.text, source.path))
