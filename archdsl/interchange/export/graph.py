"""Writes `pt2`: the network as a graph of PyTorch operators for any batch size; read by `torch.export.load`."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TypeVar

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from archdsl.base.errors import RunError
from archdsl.interchange.export import FORMATS, Format
from archdsl.interchange.export.weights import metadata
from archdsl.network.model import Network

T = TypeVar("T")
HELP = "safetensors takes any block: --export safetensors"


def trace(module: nn.Module, dims: tuple[int, ...]) -> ExportedProgram:
    """The graph of a module for inputs (B, *dims) of any batch size B."""
    # Of two images: PyTorch takes a size of 0 or 1 for one that never changes.
    with torch.no_grad():
        program = torch.export.export(module, (torch.zeros(2, *dims),), dynamic_shapes=({0: Dim("batch")},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of code and paths of this machine, which concern nobody else
    return program


def content(network: Network) -> bytes:
    """A `.pt2` file, with the spec, its hash and the versions beside the graph."""
    program = converted(network, "pt2", trace)
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=metadata(network.architecture))
    return file.getvalue()


FORMATS.register("pt2")(Format(".pt2", content))


def converted(network: Network, format: str, convert: Callable[[nn.Module, tuple[int, ...]], T]) -> T:
    """What `convert` makes of a network and the size of its images, (C, H, W).

    Raises:
        RunError: it cannot; the first block that cannot be converted by itself is named, and why.
    """
    with _quiet():
        try:
            return convert(network, network.architecture.input)
        except Exception as error:  # blocks of a user's own may do anything, and exporters fail in many ways
            reason = _reason(error)
        for block in network.architecture.blocks():
            try:
                convert(network.get_submodule(block.path), tuple(block.x.dims))
            except Exception as error:
                where = f"the block '{block.label}' at {block.path}"
                raise RunError(f"{where} cannot be written as {format}: {_reason(error)}", HELP) from None
    raise RunError(f"the network cannot be written as {format}: {reason}", HELP)


def _reason(error: BaseException) -> str:
    """Of the many lines of PyTorch's exporters, the one that says what is wrong."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    for cause in causes:
        operator = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", str(cause))
        if operator:
            return f"ONNX has no operator for '{operator.group(1)}'"
    text = str(error).strip()
    if "specialized it to be a constant" in text:
        return "what it does depends on the number of images in a batch"
    if "data-dependent" in text:
        return "what it does depends on the values that flow through it"
    return (text.partition("\n")[0] or type(error).__name__).partition(" For more information")[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings, notes and listings of PyTorch's exporters, which are for those who write exporters."""
    before, nowhere = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
