"""Finds the blocks of any PyTorch module, with their grids and kinds, or takes those that are named."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import nn

from archdsl.analyses.measuring.exact import check_precision, device_of, dtype_of, generator, held_still
from archdsl.analyses.subjects.block_outputs import PROBES, NoMapError, layout_of
from archdsl.analyses.subjects.subject import Say, Subject, check_fit, of_network
from archdsl.base.colours import KIND_NAMES
from archdsl.base.errors import DataError, UsageError, did_you_mean
from archdsl.data import DEFAULT_DATA, Dataset, load
from archdsl.network.model import Network
from archdsl.network.units import Unit

Kind = Literal["conv", "msa", "mlp"]
Blocks = str | nn.Module | Sequence[str | nn.Module] | Mapping[str, str]
LABELS: Final[dict[str, str]] = {"conv": "C", "msa": "M", "mlp": "F"}
_NAME_THEM: Final = "name them: archdsl.analyze(module, blocks=['layer1.0', …])"


class NoBlocksError(UsageError):
    """A module has no blocks that can be found, so what looks at blocks has nothing to look at."""


def of_module(
    module: nn.Module, blocks: Blocks | None, *, data: str | Dataset | None, data_root: Path | None = None,
    download: bool = False, device: str = "auto", say: Say = print,
) -> Subject:  # fmt: skip
    """A module as something to be measured, where it lies; a compiled spec keeps its own blocks unless some are named.

    A single name or module is one block. Where none are named and none found, the subject has none, and says why.

    Raises:
        ArchdslError: the data is wrong or does not fit, or the blocks are not there, or the weights are of half
            precision.
    """
    from archdsl.base.device import pick_device

    if not isinstance(data, Dataset):
        data = load(data or DEFAULT_DATA, root=data_root, download=download)
    module = module.to(pick_device(device))
    check_precision(module)
    if isinstance(module, Network) and blocks is None:
        return of_network(module, data, None)
    data = _normalised_as(module, data, say)
    check_fit(module, data)
    unitless: UsageError | None = None
    try:
        units = find_units(module, data, blocks, say)
    except NoBlocksError as error:
        if blocks is not None:
            raise
        units, unitless = (), error
    stages = {unit.stage: [u.label for u in units if u.stage == unit.stage] for unit in units}
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return Subject(
        name=type(module).__name__, network=module, units=units, data=data, layout=list(stages.values()),
        params=parameters, macs=None, weight_decay=0.0, hash="", recipe=None, structure=_behaviour(module, data),
        unitless=unitless,
    )  # fmt: skip


def _behaviour(module: nn.Module, data: Dataset) -> str:
    """What a module is, as text: how it prints itself, and its answers to two images of noise.

    Its printing and its weights do not tell what it computes: attributes and the code of `forward` are in neither.
    """
    noise = torch.randn(2, *data.input, generator=generator(0)).to(device_of(module), dtype_of(module))
    with held_still(module), torch.no_grad():
        answers = module(noise).double().cpu().contiguous()
    return f"{module!r}\n{hashlib.sha256(answers.numpy().tobytes()).hexdigest()}"


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


def find_units(module: nn.Module, data: Dataset, blocks: Blocks | None, say: Say) -> tuple[Unit, ...]:
    """The blocks in the order in which they run, with grid, stage (a new one where the grid changes) and kind.

    Raises:
        UsageError: a block is not there, is not run, gives no map; NoBlocksError: none is found, and none was named.
        UnknownNameError: a kind is none.
    """
    chosen = _named(module, blocks) if blocks is not None else dict.fromkeys(candidates(module))
    if not chosen and blocks is not None:
        raise UsageError("blocks= names none", "leave it out, and they are looked for")
    if not chosen:
        raise NoBlocksError("no blocks are found in this module", _NAME_THEM)
    outputs = _outputs(module, data, list(chosen))
    places: dict[str, Unit] = {}
    others: dict[str, str] = {}  # why they are no maps
    for name, output in outputs.items():
        try:
            layout = layout_of(module, module.get_submodule(name), output, (data.input[1], data.input[2]))
        except NoMapError as error:
            others[name] = f"block '{name}' {error}"
            if blocks is not None:
                raise UsageError(others[name], "leave it out, or name blocks whose output is a map") from None
            continue
        kind = cast(Kind, chosen[name] or guess_kind(module.get_submodule(name)))
        places[name] = Unit(name, LABELS[kind], kind, 1, *layout)
    unrun = [name for name in chosen if name not in outputs]
    if unrun and blocks is not None:
        raise UsageError(f"block '{unrun[0]}' was not run in the forward pass", "leave it out")
    more = f", and {len(others) - 1} more are as little" if len(others) > 1 else ""
    if not places:
        reason = f": {next(iter(others.values()))}{more}" if others else ""
        raise NoBlocksError(f"no block of this module gives a feature map{reason}", _NAME_THEM)
    if others:
        say(f"{next(iter(others.values()))}: left out{more}")
    if blocks is None:
        places = {name: unit for name, unit in places.items() if not any(p.startswith(f"{name}.") for p in places)}
    if guessed := Counter(unit.kind for name, unit in places.items() if chosen[name] is None):
        counts = ", ".join(f"{count} {kind}" for kind, count in guessed.items())
        say(f"kinds of blocks are guessed ({counts}); blocks={{name: kind}} sets them")
    stage, found = 0, list[Unit]()
    for unit in places.values():
        stage += not found or unit.grid != found[-1].grid
        found.append(unit._replace(stage=stage))
    return tuple(found)


def candidates(module: nn.Module) -> list[str]:
    """Names of what looks like blocks or stages: modules of a class of their own with two layers or more, in a row.

    Those that hold such a row themselves are stages, and blocks only where no module in that row gives a map. Blocks
    are `layer1.0` of a ResNet, `blocks.3` of a ViT, `layers.0.blocks.1` of a Swin Transformer, and `stages.2.1` of a
    MobileViT, whose transformer works on patches.
    """
    rows = (nn.Sequential, nn.ModuleList)
    return [
        f"{path}.{name}".lstrip(".")
        for path, row in module.named_modules()
        if isinstance(row, rows)
        for name, child in row.named_children()
        if not isinstance(child, rows) and sum(p.dim() > 1 for p in child.parameters()) > 1
        if not type(child).__module__.startswith("torch.nn") or isinstance(child, nn.TransformerEncoderLayer)
    ]


def guess_kind(block: nn.Module) -> Kind:
    """Attention anywhere makes "msa", else a convolution over more than a pixel "conv", else "mlp"."""
    parts = list(block.modules())
    if any(isinstance(part, nn.MultiheadAttention) or _attends(part) for part in parts):
        return "msa"
    if any(max(part.kernel_size) > 1 for part in parts if isinstance(part, nn.Conv1d | nn.Conv2d)):
        return "conv"
    return "mlp"


def _attends(part: nn.Module) -> bool:
    """Whether a class's name is that of self-attention: `LePEAttn` and `GPSA` are; channel gates, as of SE, are not.

    Nor is the attention of NextViT, whose `ConvAttention` is a grouped convolution.
    """
    name = type(part).__name__.lower().replace("attn", "attention")
    if any(word in name for word in ("squeeze", "channel", "pool", "gate", "convattention")):
        return False
    return name.endswith("msa") or any(word in name for word in ("attention", "litemla", "xca", "gpsa", "shsa", "mhsa"))


def _named(module: nn.Module, blocks: Blocks) -> dict[str, str | None]:
    """Names to kinds, where these are said."""
    blocks = [blocks] if isinstance(blocks, str | nn.Module) else blocks
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
    """What the blocks give for PROBES images, in the order in which they run first."""
    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            found.setdefault(name, output)

        return hook

    handles = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        with held_still(module), torch.no_grad():
            module(torch.zeros(PROBES, *data.input, device=device_of(module), dtype=dtype_of(module)))
    except Exception as error:  # whatever a stranger's forward() may raise
        raise DataError(f"the module fails on the images of '{data.name}': {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    return found
