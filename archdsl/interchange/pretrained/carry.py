"""Renames and reshapes the weights of a timm model to those of a compiled network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archdsl.base import resources
from archdsl.base.errors import WeightsError
from archdsl.blocks.layers.attention import TokenAttention
from archdsl.interchange.pretrained.families import FAMILIES
from archdsl.interchange.pretrained.rules import Family, Layout
from archdsl.language.sources import read_spec
from archdsl.network import resolve_model
from archdsl.network.model import Network

CLASSIFIER = "head.linear."
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
INSIDE = ("state_dict", "model", "state_dict_ema", "model_ema", "module")  # where files of trainings keep weights
SHOWN = 5


def carry(network: Network, theirs: Mapping[str, Tensor], *, classifier: bool = True) -> dict[str, Tensor]:
    """Every parameter and buffer of a network, from a state dict of timm's; the network is left as it is.

    Args:
        network: a compiled spec.
        theirs: parameters and buffers by timm's names, tensors of any device (meta, too).
        classifier: whether the last layer is among them; its names are left out where it is not.

    Raises:
        WeightsError: they do not fit; the first that do not are named.
    """
    family = recognise(theirs)
    ours = {name: tensor for name, tensor in network.state_dict().items() if classifier or not _of_classifier(name)}
    known = network.state_dict().keys()
    found: dict[str, Tensor] = {}
    places: dict[str, str] = {}  # ours to theirs
    wrong: list[str] = []
    for name, tensor in theirs.items():
        place, layout = family.find(name, known) or (None, None)
        if place is not None and not classifier and _of_classifier(place):
            continue
        if place is None or place not in ours:
            where = "the network has nothing for it" if place is None else f"the network has no '{place}'"
            wrong.append(f"'{name}' ({_size(tensor)}): {where}")
        elif place in places:
            wrong.append(f"'{name}' ({_size(tensor)}): '{place}' is '{places[place]}' already")
        else:
            places[place] = name
            if tensor.is_floating_point() != ours[place].is_floating_point() or tensor.layout is not torch.strided:
                wrong.append(f"'{name}' holds {_kind(tensor)}, '{place}' {_kind(ours[place])}")
                continue
            laid = _laid_out(tensor, ours[place], layout, _heads(network, place))
            if laid is None:
                wrong.append(f"'{name}' is {_size(tensor)}, '{place}' is {_size(ours[place])}")
            else:
                found[place] = laid
    absent = [name for name in ours if name not in places]
    # Files of old lack this counter, which plays no part in what a network computes.
    counters = [name for name in absent if name.endswith(".num_batches_tracked")]
    wrong += [f"'{name}' ({_size(ours[name])}): there is nothing for it" for name in absent if name not in counters]
    if wrong:
        raise _misfit(network, family, wrong, theirs, places)
    return found | {name: ours[name] for name in counters}


def unwrapped(theirs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The state dict without what DataParallel and torch.compile put before all of its names."""
    for prefix in WRAPPERS * 2:  # they may stand in either order
        if theirs and all(isinstance(name, str) and name.startswith(prefix) for name in theirs):
            theirs = {name.removeprefix(prefix): tensor for name, tensor in theirs.items()}
    return theirs


def recognise(theirs: Mapping[str, Tensor]) -> Family:
    """The family that knows the most of the names.

    Raises:
        WeightsError: there is no state dict, or no family knows a quarter of it.
    """
    for name, tensor in theirs.items():
        if not isinstance(name, str):
            raise WeightsError(f"this is no state dict: {name!r} is no name", "hand in what model.state_dict() gives")
        if not isinstance(tensor, Tensor):
            inside = next((key for key in INSIDE if isinstance(theirs.get(key), Mapping)), None)
            help = f"hand in what is under '{inside}'" if inside else "hand in what model.state_dict() gives"
            raise WeightsError(
                f"this is no state dict: '{name}' is no tensor but of type {type(tensor).__name__}", help
            )
    if not theirs:
        raise WeightsError("there are no weights in this state dict", "hand in what model.state_dict() gives")
    knows = {family: sum(family.find(name, ()) is not None for name in theirs) for family in FAMILIES}
    best = max(knows, key=lambda family: knows[family])
    if 4 * knows[best] < len(theirs):
        names = ", ".join(family.name for family in FAMILIES)
        raise WeightsError(
            f"these are weights of no family that load_timm knows: they begin with '{next(iter(theirs))}'",
            f"it knows {names}, by timm's names",
        )
    return best


def _laid_out(theirs: Tensor, ours: Tensor, layout: Layout | None, heads: int) -> Tensor | None:
    """The tensor in our shape; None where it does not fit."""
    if layout is not None:
        try:
            theirs = layout(theirs, heads)
        except (RuntimeError, IndexError):  # the numbers cannot stand in that order
            return None
    if theirs.shape == ours.shape:
        return theirs
    # A 1x1 convolution is a linear layer, and a table of offsets has rows and columns.
    pointwise = {theirs.dim(), ours.dim()} == {2, 4} and theirs.shape[2:].numel() == ours.shape[2:].numel() == 1
    same_rows = theirs.shape[:1] == ours.shape[:1] and theirs.numel() == ours.numel()
    return theirs.reshape(ours.shape) if same_rows and (pointwise or layout is not None) else None


def _heads(network: Network, place: str) -> int:
    """How many heads the attention has that a parameter belongs to; 1 for others."""
    owner = place.rpartition(".")[0]
    for path in (owner, owner.rpartition(".")[0]):
        module = network.get_submodule(path)
        if isinstance(module, TokenAttention):
            return module.num_heads
    return 1


def _misfit(
    network: Network, family: Family, wrong: list[str], theirs: Mapping[str, Tensor], places: Mapping[str, str]
) -> WeightsError:
    name = network.architecture.name
    weight = theirs.get(places.get(f"{CLASSIFIER}weight", ""))
    classes = 0 if weight is None else weight.shape[0]
    if classes != network.architecture.classes and all(f"'{CLASSIFIER}" in line for line in wrong):
        what = f"are for {classes:,} classes" if classes else "have no classifier"
        message = f"the weights {what}, '{name}' has {network.architecture.classes:,}: {wrong[0]}"
        return WeightsError(message, "to leave the classifier as it is: load_timm(…, classifier=False)")
    more = len(wrong) - SHOWN
    lines = [*wrong[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
    shown = "".join(f"\n  {line}" for line in lines)
    return WeightsError(f"these weights, of the family '{family.name}', do not fit '{name}':{shown}", _hint(theirs))


def _hint(theirs: Mapping[str, Tensor]) -> str:
    """The shipped spec of as many parameters, if there is one."""
    buffers = (".running_mean", ".running_var", ".num_batches_tracked")
    count = sum(tensor.numel() for name, tensor in theirs.items() if not name.endswith(buffers))
    for name, path in resources.shipped_specs().items():
        spec = read_spec(path).spec()
        if not spec.has_holes() and resolve_model(spec).params == count:
            return f"they have {count:,} parameters, as the shipped spec '{name}' has"
    return f"they have {count:,} parameters, as no shipped spec has; write one that describes their network"


def _of_classifier(name: str) -> bool:
    return name.startswith(CLASSIFIER)


def _kind(tensor: Tensor) -> str:
    sparse = "" if tensor.layout is torch.strided else "sparse "
    return sparse + str(tensor.dtype).removeprefix("torch.")


def _size(tensor: Tensor) -> str:
    return "x".join(str(n) for n in tensor.shape) if tensor.dim() else "a number"
