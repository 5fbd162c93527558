"""Writes `safetensors`: weights with the spec they belong to; `load` rebuilds the network from such a file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from archdsl import ir
from archdsl.base import checkpoint
from archdsl.base.checkpoint import FORMAT_KEY, SPEC_KEY, numbers_digest
from archdsl.base.errors import StudyError
from archdsl.base.version import VERSION
from archdsl.interchange.arch_text import write
from archdsl.interchange.export import FORMATS, Format
from archdsl.language import parse
from archdsl.network import Architecture, resolve_model
from archdsl.network.model import Network, build

HASH_KEY, LANGUAGE_KEY = "archdsl.hash", "archdsl.language"
VERSION_KEY, TORCH_KEY = "archdsl.version", "archdsl.torch"
WEIGHTS_KEY = "archdsl.weights"
FORMAT_VERSION = "1"
OTHERS = {".arch": "archdsl.compile(…)", ".pt2": "torch.export.load(…)", ".onnx": "onnxruntime.InferenceSession(…)"}
LITTLE = 2**24  # parameters that do no harm: a network of so many may be built before its weights are looked at


def metadata(architecture: Architecture) -> dict[str, str]:
    """What every export carries: the spec's text and hash, and the versions that wrote it."""
    return {
        SPEC_KEY: write(architecture, train=False),
        HASH_KEY: architecture.hash,
        LANGUAGE_KEY: str(ir.LANGUAGE_VERSION),
        VERSION_KEY: VERSION,
        TORCH_KEY: torch.__version__,
        FORMAT_KEY: FORMAT_VERSION,
    }


def content(network: Network) -> bytes:
    """A safetensors file: the `state_dict`, every tensor in row-major order and sharing memory with no other."""
    tensors = {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    # `format` tells transformers and others that PyTorch's layout is meant.
    return _ordered(
        save(tensors, {"format": "pt", WEIGHTS_KEY: numbers_digest(tensors), **metadata(network.architecture)})
    )


def _ordered(file: bytes) -> bytes:
    """The same file with its metadata in alphabetical order; safetensors has a new order every time."""
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[end:]


FORMATS.register("safetensors")(Format(".safetensors", content))


def load(path: str | Path) -> Network:
    """The network of a file, rebuilt from the spec in it, with its weights, on the CPU and in eval mode.

    Nothing in the file is executed or unpickled.

    Args:
        path: what `archdsl compile --export safetensors` or `archdsl train` wrote. Of a training, the weights are
            those it is evaluated with: their moving average if it has one.

    Returns:
        A plain `nn.Module`; images (B, C, H, W) in, logits (B, classes) out.

    Raises:
        StudyError: there is no such file, it is truncated or corrupt, archdsl did not write it, or it was changed: its
            spec does not have its hash, its weights are not those of its spec, or a number among them is another.
        SpecError: the spec in it is wrong.
    """
    path = Path(path)
    if path.suffix in OTHERS and path.is_file():
        raise StudyError(f"'{path}' is no safetensors file", f"it is read by {OTHERS[path.suffix]}")
    tensors, told = checkpoint.load(path)
    if SPEC_KEY not in told:
        raise StudyError(
            f"'{path}' was not written by archdsl: it holds no spec",
            "'archdsl train' and 'archdsl compile --export safetensors' write files that do",
        )
    exported = FORMAT_KEY in told
    if exported:
        _check_versions(path, told)
    weights = tensors if exported else checkpoint.evaluated(tensors)
    architecture = resolve_model(parse(told[SPEC_KEY], str(path)), told[SPEC_KEY], str(path))
    if exported and architecture.hash != told.get(HASH_KEY):
        raise StudyError(
            f"'{path}' was changed after it was written: its spec has the hash {architecture.hash[:12]}…, "
            f"but {told.get(HASH_KEY, 'none')[:12]}… was noted",
            "write it anew from the spec or the training",
        )
    held = sum(tensor.numel() for tensor in weights.values())
    if architecture.params > held + LITTLE:  # a few bytes must not make us fill the memory
        raise _foreign(path, f"there are {held:,} numbers for {architecture.params:,} parameters")
    network = build(architecture)
    _check_weights(path, weights, network.state_dict())
    if exported and numbers_digest(weights) != told.get(WEIGHTS_KEY):
        raise StudyError(
            f"'{path}' was changed after it was written: its numbers are not those that were noted",
            "write it anew from the spec or the training",
        )
    network.load_state_dict(weights)
    return network.eval()


def _check_versions(path: Path, told: Mapping[str, str]) -> None:
    writer = f"archdsl {told.get(VERSION_KEY, 'of an unknown version')}"
    if told[FORMAT_KEY] != FORMAT_VERSION:
        raise StudyError(
            f"'{path}' has the format {told[FORMAT_KEY]}, this archdsl reads {FORMAT_VERSION}",
            f"it was written by {writer}; read it with that",
        )
    if told.get(LANGUAGE_KEY) != str(ir.LANGUAGE_VERSION):
        raise StudyError(
            f"the spec in '{path}' is of version {told.get(LANGUAGE_KEY, 'unknown')} of the language, "
            f"this archdsl reads {ir.LANGUAGE_VERSION}",
            f"it was written by {writer}; read it with that",
        )


def _check_weights(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise for the first tensor, in the order of the network, that is missing, does not fit, or is surplus."""
    for name, tensor in expected.items():
        if name not in found:
            raise _foreign(path, f"'{name}' is missing")
        if found[name].shape != tensor.shape:
            raise _foreign(path, f"'{name}' is {_size(found[name])}, not {_size(tensor)}")
        if found[name].is_floating_point() != tensor.is_floating_point():
            raise _foreign(path, f"'{name}' holds {_kind(found[name])}, not {_kind(tensor)}")
    surplus = next((name for name in found if name not in expected), None)
    if surplus is not None:
        raise _foreign(path, f"'{surplus}' belongs to no block")


def _kind(tensor: Tensor) -> str:
    """What a tensor holds: float32, int8."""
    return str(tensor.dtype).removeprefix("torch.")


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _foreign(path: Path, reason: str) -> StudyError:
    return StudyError(
        f"the weights in '{path}' do not fit its own spec: {reason}", "write it anew from the spec or the training"
    )
