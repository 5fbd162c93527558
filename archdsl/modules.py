"""Any PyTorch module and names of its blocks in (or none, then they are found); the same with grids and kinds out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn

from archdsl.analyses.exact import device_of, held_still
from archdsl.data import Dataset, load
from archdsl.errors import DataError, UsageError, did_you_mean
from archdsl.experiment import DEFAULT_DATA
from archdsl.model import Network
from archdsl.palette import KIND_NAMES
from archdsl.subject import Say, Subject, check_fit, of_network
from archdsl.units import Unit

Kind = Literal["conv", "msa", "mlp"]
Blocks = Sequence[str | nn.Module] | Mapping[str, str]
LABELS: Final[dict[str, str]] = {"conv": "C", "msa": "M", "mlp": "F"}


def of_module(
    module: nn.Module, blocks: Blocks | None, *, data: str | Dataset | None, data_root: Path | None = None,
    download: bool = False, device: str = "auto", say: Say = print,
) -> Subject:  # fmt: skip
    """A module as something to be measured, where it lies; a compiled spec keeps its own blocks unless some are named.

    Raises:
        ArchdslError: the data is wrong or does not fit, or the blocks are not there, or cannot be found.
    """
    from archdsl.device import pick_device

    if not isinstance(data, Dataset):
        data = load(data or DEFAULT_DATA, root=data_root, download=download)
    module = module.to(pick_device(device))
    if isinstance(module, Network) and blocks is None:
        return of_network(module, data, None)
    data = _normalised_as(module, data, say)
    check_fit(module, data)
    units = find_units(module, data, blocks)
    stages = {unit.stage: [u.label for u in units if u.stage == unit.stage] for unit in units}
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return Subject(
        name=type(module).__name__, network=module, units=units, data=data, layout=list(stages.values()),
        params=parameters, macs=None, weight_decay=0.0, hash="", recipe=None, structure=repr(module),
    )  # fmt: skip


def _normalised_as(module: nn.Module, data: Dataset, say: Say) -> Dataset:
    """Images normalised as timm's configuration of a model says; as the data set is, for any other module."""
    config = getattr(module, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or not config.get("mean") or not config.get("std"):
        return data
    mean, std = (tuple(float(v) for v in config[name]) for name in ("mean", "std"))
    if len(mean) != len(data.mean) or len(std) != len(data.std):
        return data
    say(f"images are normalised as the model's pretrained_cfg says: mean {mean}, std {std}")
    return dataclasses.replace(data, mean=mean, std=std)


def find_units(module: nn.Module, data: Dataset, blocks: Blocks | None) -> tuple[Unit, ...]:
    """The blocks in the order in which they run, with grid, stage (a new one where the grid changes) and kind.

    Raises:
        UsageError: a block is not there, is not run, gives no map, or none is found.
        UnknownNameError: a kind is none.
    """
    chosen = _named(module, blocks) if blocks is not None else dict.fromkeys(candidates(module))
    if not chosen:
        raise UsageError(
            "no blocks are found in this module", "name them: archdsl.analyze(module, blocks=['layer1.0', …])"
        )
    outputs = _outputs(module, data, list(chosen))
    places: list[tuple[str, Unit]] = []
    for name, output in outputs.items():
        unit = _unit(module, name, output, chosen[name])
        if unit is not None:
            places.append((name, unit))
        elif blocks is not None:
            raise UsageError(
                f"block '{name}' gives {_said(output)}, which is neither a feature map nor a square of tokens",
                "leave blocks without a spatial output out",
            )
    unrun = [name for name in chosen if name not in outputs]
    if unrun and blocks is not None:
        raise UsageError(f"block '{unrun[0]}' was not run in the forward pass", "leave it out")
    if not places:
        raise UsageError(
            "no block of this module gives a feature map", "name them: archdsl.analyze(module, blocks=['layer1.0', …])"
        )
    stage, found = 0, list[Unit]()
    for _, unit in places:
        stage += not found or unit.grid != found[-1].grid
        found.append(unit._replace(stage=stage))
    return tuple(found)


def candidates(module: nn.Module) -> list[str]:
    """Names of what looks like blocks: modules of a class of their own with two layers or more, in a row.

    Those that hold such a row themselves are stages. Blocks are `layer1.0` of a ResNet, `blocks.3` of a ViT,
    `layers.0.blocks.1` of a Swin Transformer.
    """
    rows = (nn.Sequential, nn.ModuleList)
    inside = [
        f"{path}.{name}".lstrip(".")
        for path, row in module.named_modules()
        if isinstance(row, rows)
        for name, child in row.named_children()
        if not isinstance(child, rows) and sum(p.dim() > 1 for p in child.parameters()) > 1
        if not type(child).__module__.startswith("torch.nn") or isinstance(child, nn.TransformerEncoderLayer)
    ]
    holders = {outer for outer in inside for inner in inside if inner.startswith(f"{outer}.")}
    return [name for name in inside if name not in holders]


def guess_kind(block: nn.Module) -> Kind:
    """Attention anywhere makes "msa", else a convolution over more than a pixel "conv", else "mlp"."""
    parts = list(block.modules())
    if any(isinstance(part, nn.MultiheadAttention) or "attention" in _class(part) for part in parts):
        return "msa"
    if any(max(part.kernel_size) > 1 for part in parts if isinstance(part, nn.Conv1d | nn.Conv2d)):
        return "conv"
    return "mlp"


def _class(part: nn.Module) -> str:
    """A class's name, so that `LePEAttn` is attention and the channel gates of SE and its kind are not."""
    name = type(part).__name__.lower().replace("attn", "attention")
    return "" if any(word in name for word in ("squeeze", "channel", "pool", "gate")) else name


def _named(module: nn.Module, blocks: Blocks) -> dict[str, str | None]:
    """Names to kinds, where these are said."""
    known = dict(module.named_modules())
    names = {id(part): name for name, part in known.items()}
    found: dict[str, str | None] = {}
    entries: Iterator[tuple[Any, str | None]] = (
        iter(blocks.items()) if isinstance(blocks, Mapping) else ((block, None) for block in blocks)
    )
    for block, kind in entries:
        name = names.get(id(block)) if isinstance(block, nn.Module) else block
        if isinstance(block, nn.Module) and name is None:
            raise UsageError(f"a block of class {type(block).__name__} is no part of the module")
        if not isinstance(name, str) or not name or name not in known:
            raise UsageError(
                f"the module has no block '{name}'",
                did_you_mean(str(name), known) or "module.named_modules() lists what there is",
            )
        if kind is not None and kind not in KIND_NAMES:
            raise UsageError(f"block '{name}' is said to be '{kind}'", f"kinds are {', '.join(KIND_NAMES)}")
        found[name] = kind
    return found


def _outputs(module: nn.Module, data: Dataset, names: Sequence[str]) -> dict[str, Any]:
    """What the blocks give for two images, in the order in which they run first."""
    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            found.setdefault(name, output)

        return hook

    handles = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        with held_still(module), torch.no_grad():
            module(torch.zeros(2, *data.input, device=device_of(module)))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"the module fails on the images of '{data.name}': {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    return found


def _unit(module: nn.Module, name: str, output: Any, kind: str | None) -> Unit | None:
    """A block as a unit, or None where its output is no map."""
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return None
    chosen = cast(Kind, kind or guess_kind(module.get_submodule(name)))
    unit = Unit(name, LABELS[chosen], chosen, 1, (1, 1))
    if output.dim() == 4:
        last = _channels_last(module, output)
        height, width = output.shape[1:3] if last else output.shape[2:]
        return unit._replace(grid=(height, width), channels_last=last)
    if output.dim() != 3:
        return None
    said = getattr(module, "num_prefix_tokens", None)
    for prefix in [said] if isinstance(said, int) else [0, 1, 2]:
        side = round(max(0, output.shape[1] - prefix) ** 0.5)
        if side and side * side == output.shape[1] - prefix:
            return unit._replace(grid=(side, side), prefix=prefix)
    return None


def _channels_last(module: nn.Module, output: Tensor) -> bool:
    """Whether a map is (B, H, W, C): as timm says, else where only the first two of its sides are equal."""
    said = getattr(module, "output_fmt", None)
    if said is not None:
        return str(getattr(said, "value", said)).upper() == "NHWC"
    _, first, second, third = output.shape
    return first == second != third


def _said(output: Any) -> str:
    return f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
