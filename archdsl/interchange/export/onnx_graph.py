"""Writes `onnx`: the network as a graph of ONNX operators for any batch size; `images` in, `logits` out."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn

from archdsl.base.errors import RunError
from archdsl.interchange.export import FORMATS, Format
from archdsl.interchange.export.graph import converted, trace
from archdsl.interchange.export.weights import metadata
from archdsl.network.model import Network

MOST = 2**31 - 2**24  # bytes of weights: a file of protocol buffers ends at 2 GiB


def content(network: Network) -> bytes:
    """An `.onnx` file, with the spec, its hash and the versions in its metadata.

    Raises:
        RunError: a block has no counterpart in ONNX, or there are more weights than fit in such a file.
    """
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if weights > MOST:
        raise RunError(f"{weights:,} bytes of weights are more than fit in an ONNX file", "use --export pt2")
    program = converted(network, "onnx", _convert)
    program.model.metadata_props.update(metadata(network.architecture))
    file: bytes = program.model_proto.SerializeToString()
    return file


def require() -> None:
    """Raise where the packages that write ONNX are missing."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(f"writing ONNX needs {' and '.join(missing)}", "pip install 'archdsl[onnx]'")


FORMATS.register("onnx")(Format(".onnx", content, require))


def _convert(module: nn.Module, dims: tuple[int, ...]) -> Any:
    program = trace(module, dims)
    graph, aten = program.graph, torch.ops.aten
    for node in list(graph.nodes):
        if node.target is aten.scaled_dot_product_attention.default:
            # The fused kernel's output lies in memory otherwise than that of the formula which ONNX gets in its place,
            # and views of the one are impossible on the other; a copy has the same layout in both.
            with graph.inserting_after(node):
                copy = graph.call_function(aten.clone.default, (node,), {"memory_format": torch.contiguous_format})
            copy.meta.update(node.meta)
            node.replace_all_uses_with(copy, delete_user_cb=lambda user, copy=copy: user is not copy)
    program.graph_module.recompile()
    return torch.onnx.export(
        program, (), dynamo=True, input_names=["images"], output_names=["logits"],
        dynamic_shapes=({0: "batch"},), verbose=False,
    )  # fmt: skip
