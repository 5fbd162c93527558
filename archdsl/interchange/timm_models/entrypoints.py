"""Enters specs into timm's registry as `archdsl/NAME`; each is read and compiled when it is created, not before."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import _factory, _registry, build_model_with_cfg, register_model, resolve_pretrained_cfg
from timm.models._pretrained import PretrainedCfg
from torch import nn

from archdsl import ir
from archdsl.base.errors import ArchdslError, SpecError, StudyError, UsageError, did_you_mean
from archdsl.base.resources import shipped_specs
from archdsl.interchange.timm_models.network import TimmNetwork, classifier, feature_shapes, first_conv
from archdsl.language.sources import Source, read_file, read_spec
from archdsl.network import Architecture, resolve_model
from archdsl.network.model import Network, build

PREFIX = "archdsl/"
SMALL = 128  # pixels; smaller pictures are tested whole, of larger ones the middle is, as is the habit with ImageNet
_SOURCES: dict[str, Source | Path] = {}  # by the name in timm's registry; a path is read when its model is created
_OPTIONS = ("num_classes", "in_chans", "img_size", "global_pool", "drop_rate", "drop_path_rate")


class UnknownModelError(ArchdslError, RuntimeError):
    """`archdsl/…` with a name nobody registered; also a RuntimeError, which is what timm says of unknown names."""

    def __init__(self, name: str) -> None:
        # Compared without what they all begin with, or any two would be alike.
        near = did_you_mean(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in _SOURCES])
        help = near.replace("'", f"'{PREFIX}", 1) if near else f"timm.list_models('{PREFIX}*') lists them"
        super().__init__(f"unknown model '{name}'", help)


def register(text_or_path: str | Path, name: str | None = None) -> str:
    """Enters a spec into timm's registry.

    Args:
        text_or_path: a `.arch` text, a path, or the name of a shipped spec; a file is read now, and only now.
        name: what to call it; else what its line `model …` says, else the name of its file.

    Returns:
        The name for `timm.create_model`, beginning with `archdsl/`.

    Raises:
        SpecError: the spec is wrong, has holes, or breaks its own requirements.

    >>> import timm
    >>> register("model tiny  stage(8)[C M]  head gap linear")
    'archdsl/tiny'
    >>> timm.create_model("archdsl/tiny", num_classes=7).get_classifier()
    Linear(in_features=8, out_features=7, bias=True)
    """
    source = read_spec(text_or_path)
    spec = source.spec()
    resolve_model(spec, source.text, source.path)
    if not name:
        unsaid = spec.name == ir.Spec().name and source.path != "<text>"
        name = Path(source.path).stem if unsaid else spec.name
    full = PREFIX + re.sub(r"[^\w-]+", "_", name.removeprefix(PREFIX))  # in timm's names a dot begins a tag
    if _SOURCES.get(full) != source:
        _enter(full, source)
    return full


def enter_shipped() -> None:
    """Enters every shipped spec without holes, by the name of its file; none is parsed."""
    _let_names_pass()
    for name, path in shipped_specs().items():
        # Braces are holes; whoever parses the file finds out for sure.
        without_comments = re.sub("#.*", "", read_file(str(path)).text)
        if "{" not in without_comments and PREFIX + name not in _SOURCES:
            _enter(PREFIX + name, path)


def _enter(name: str, source: Source | Path) -> None:
    def entrypoint(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        return create(name, pretrained, **kwargs)

    entrypoint.__name__ = entrypoint.__qualname__ = name  # which register_model takes it for
    register_model(entrypoint)
    _registry._model_pretrained_cfgs.pop(name, None)
    _SOURCES[name] = source


def _let_names_pass() -> None:
    """Lets timm look our names up, though they have a slash in them: it takes those for paths or for the hub's."""
    original: Callable[[str], tuple[str | None, str]] = _factory.parse_model_name
    if hasattr(original, "of_archdsl"):
        return

    @functools.wraps(original)
    def parse_model_name(model_name: str) -> tuple[str | None, str]:
        if not isinstance(model_name, str) or not model_name.startswith(PREFIX):
            return original(model_name)
        if model_name not in _SOURCES:
            raise UnknownModelError(model_name)
        _describe(model_name)
        return None, model_name

    parse_model_name.of_archdsl = True  # type: ignore[attr-defined]
    _factory.parse_model_name = parse_model_name


def _source(name: str) -> Source:
    found = _SOURCES[name]
    return Source(read_file(str(found)).text, found.name) if isinstance(found, Path) else found


def _describe(name: str) -> None:
    """Tells timm what images a model takes: registering does not, since it parses nothing."""
    if name in _registry._model_pretrained_cfgs:
        return
    source = _source(name)
    a = resolve_model(source.spec(), source.text, source.path)
    last, maps = classifier(a), list(feature_shapes(a).values())
    mean, std = _statistics(a.input[0])
    _registry._model_pretrained_cfgs[name] = PretrainedCfg(
        architecture=name, input_size=a.input, fixed_input_size=True, num_classes=a.classes, mean=mean, std=std,
        pool_size=(maps[-1].height, maps[-1].width) if maps else None, first_conv=first_conv(a),
        classifier=None if last is None else last.path, crop_pct=0.875 if min(a.input[1:]) >= SMALL else 1.0,
    )  # fmt: skip


def _statistics(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation to normalise images with: ImageNet's, their averages where there is no colour."""
    if channels == 3:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return (math.fsum(IMAGENET_DEFAULT_MEAN) / 3,) * channels, (math.fsum(IMAGENET_DEFAULT_STD) / 3,) * channels


def create(
    name: str, pretrained: bool = False, pretrained_cfg: Any = None, pretrained_cfg_overlay: Any = None, **kwargs: Any
) -> nn.Module:
    """The model of a registered spec; what `timm.create_model` calls.

    Args:
        name: as in the registry.
        pretrained: take the weights that the configuration names.
        pretrained_cfg, pretrained_cfg_overlay: replace the model's configuration, or entries of it.
        **kwargs: `num_classes`, `in_chans`, `img_size`, `global_pool`, `drop_rate`, `drop_path_rate`; `features_only`
            and `out_indices`; what else timm's `build_model_with_cfg` takes.

    Raises:
        SpecError: the spec does not fit images of that size.
        StudyError: `pretrained`, but nobody has published weights.
        UsageError: an option that is not known, or not for this network.
    """
    _describe(name)
    cfg = resolve_pretrained_cfg(name, pretrained_cfg, pretrained_cfg_overlay)
    if pretrained and not (cfg.has_weights or cfg.state_dict):
        raise StudyError(
            f"there are no published weights for '{name}'",
            "leave pretrained out; weights of your own: checkpoint_path=FILE, or pretrained_cfg_overlay={'file': FILE}",
        )
    channels, size = int(kwargs.pop("in_chans", cfg.input_size[0])), kwargs.pop("img_size", cfg.input_size[1:])
    if channels < 1:
        raise UsageError(f"in_chans must be 1 or more, not {channels}")
    shape = (channels, *_sides(size))
    classes = kwargs.pop("num_classes", max(cfg.num_classes, -1))
    architecture = _fitted(name, shape, classes)
    if not pretrained:  # else it describes the images that the weights were trained on
        cfg = replace(cfg, input_size=shape)
        if len(cfg.mean) != channels:
            cfg.mean, cfg.std = _statistics(channels)
    indices = tuple(range(len(feature_shapes(architecture))))
    model: nn.Module = build_model_with_cfg(
        functools.partial(_network, architecture), name, pretrained, asdict(cfg), in_chans=channels,
        img_size=shape[1:], num_classes=architecture.classes if classes < 0 else classes,
        feature_cfg={"out_indices": indices, "feature_cls": "getter"}, **kwargs,
    )  # fmt: skip
    return model


def _fitted(name: str, shape: tuple[int, int, int], classes: int) -> Architecture:
    """A spec for other images or classes than its own; classes below 1 leave its own."""
    source = _source(name)
    spec = source.spec()
    said = {"input": shape, "classes": classes if classes > 0 else spec.classes}
    fitted = spec.model_copy(update=said)
    try:
        return resolve_model(fitted, source.text, source.path)
    except SpecError as error:
        if fitted == spec:
            raise
        asked = f"(with input {'x'.join(map(str, shape))} and classes {fitted.classes}, as asked for)"
        diagnostics = [replace(d, message=f"{d.message} {asked}") for d in error.diagnostics]
        raise SpecError(diagnostics, source.text, source.path) from None


def _network(
    architecture: Architecture, *, num_classes: int, in_chans: int, img_size: tuple[int, int],
    global_pool: str | None = None, drop_rate: float = 0.0, drop_path_rate: float = 0.0, **unknown: Any,
) -> Network:  # fmt: skip
    """What `build_model_with_cfg` calls; images and classes went into the architecture before."""
    for option in unknown:
        help = did_you_mean(option, _OPTIONS) or "what a network is made of stands in its spec"
        raise UsageError(f"'{architecture.name}' takes no option '{option}'", help)
    make = functools.partial(
        TimmNetwork,
        num_classes=num_classes,
        global_pool=global_pool,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
    return build(architecture, make)


def _sides(size: int | Sequence[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UsageError(f"img_size must be a side or (height, width), not {size!r}")
    return sides
