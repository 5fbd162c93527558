"""Exports networks in the formats that other programs read: one file per format, a new one registers itself.

export(network, ["safetensors", "onnx"], folder)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from archdsl.base.errors import RunError, UsageError, did_you_mean
from archdsl.base.files import write_atomically
from archdsl.base.registry import Registry
from archdsl.network.model import Network, build


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        suffix: of its files.
        content: what such a file holds for a network in eval mode on the CPU.
        require: raises a RunError where packages it needs are missing; asked before anything is written.
    """

    suffix: str
    content: Callable[[Network], bytes]
    require: Callable[[], None] = lambda: None


FORMATS: Registry[Format] = Registry("export", "archdsl.interchange.export")


def check_formats(names: Iterable[str]) -> None:
    """Raise unless every format is known and can be written here.

    Raises:
        UsageError: there is no such format.
        RunError: packages it needs are missing.
    """
    for name in names:
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(f"unknown export '{name}'", did_you_mean(name, FORMATS) or f"there are: {known}")
        FORMATS[name].require()


def paths(name: str, formats: Iterable[str], folder: Path) -> dict[str, Path]:
    """The files that exports of a network of this name go to, by format."""
    return {format: folder / f"{name}{FORMATS[format].suffix}" for format in formats}


def export(network: Network, formats: Iterable[str], folder: str | Path) -> dict[str, Path]:
    """Write a network in several formats, each file whole or not at all; it is in eval mode afterwards.

    Args:
        network: with the parameters that its spec asks for, in float32 on the CPU.
        formats: names of FORMATS: `safetensors`, `pt2`, `onnx`, `python`.
        folder: made if it is not there; the files are named after the network.

    Returns:
        The files by format, in the order asked for.

    Raises:
        UsageError: there is no such format, or the network is none or no longer that of its spec.
        RunError: packages are missing, a block cannot be written in a format, or a file cannot be written.
    """
    formats = list(dict.fromkeys(formats))
    check_formats(formats)
    _check_network(network)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder '{folder}': {error.strerror}", "choose another with --out") from None
    network.eval()
    written = paths(network.architecture.name, formats, folder)
    for name, path in written.items():
        write_atomically(path, FORMATS[name].content(network))
    return written


def _check_network(network: Network) -> None:
    """Raise for a network that its spec does not describe: such files could not be read again."""
    if not isinstance(network, Network):
        raise UsageError(
            f"export takes a compiled spec, not a {type(network).__name__}", "compile one: archdsl.compile(…)"
        )
    name = network.architecture.name
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        expected = build(network.architecture).state_dict()
    found = network.state_dict()
    for key in [*expected, *found]:
        if key not in expected or key not in found or found[key].shape != expected[key].shape:
            raise UsageError(
                f"'{name}' is no longer the network of its spec: '{key}' was added, taken away or given another shape",
                "write the change into the spec: classes, blocks, widths",
            )
        tensor = found[key]
        if tensor.is_meta:
            raise UsageError(f"'{name}' has no weights: '{key}' is on the meta device", "build it on the CPU")
        if tensor.dtype != expected[key].dtype or tensor.device.type != "cpu":
            kind, device = str(tensor.dtype).removeprefix("torch."), tensor.device
            raise UsageError(f"'{key}' of '{name}' is {kind} on {device}", "export(network.float().cpu(), …)")
