"""Gives a compiled spec what timm expects of a model: features, a head to take off, a classifier to replace, groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch.nn.functional as F
from timm.models import checkpoint_seq
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from archdsl.base import checkpoint
from archdsl.base.errors import UsageError
from archdsl.blocks.base import Leaf, Primitive, Tree
from archdsl.blocks.base import Sequence as SequenceTree
from archdsl.blocks.primitives.convolution import Conv, Patch
from archdsl.blocks.primitives.pooling import GlobalAveragePool
from archdsl.blocks.primitives.tokens import ClassToken, Linear
from archdsl.blocks.shapes import Shape
from archdsl.network import Architecture, PlacedBlock
from archdsl.network.model import Network, build_node, initialise, set_drop_path

POOLING: Final[dict[type[object], str]] = {GlobalAveragePool: "avg", ClassToken: "token"}


class Step(NamedTuple):
    """A module of a chain: its path, and the tree it was built from."""

    path: str
    tree: Tree

    @property
    def block(self) -> Primitive | None:
        """The primitive that it is, if it is one."""
        return self.tree.block if isinstance(self.tree, Leaf) else None


def steps(blocks: Sequence[PlacedBlock]) -> tuple[Step, ...]:
    """The modules of a chain of blocks, those of sequences one by one."""
    return tuple(step for block in blocks for step in _steps(block.path, block.tree))


def _steps(path: str, tree: Tree) -> Iterator[Step]:
    if isinstance(tree, SequenceTree):
        for name, part in tree.parts:
            yield from _steps(f"{path}.{name}", part)
    else:
        yield Step(path, tree)


def first_conv(architecture: Architecture) -> str | None:
    """Path of the convolution that the images meet first, None where they meet something else."""
    chain = steps(tuple(architecture.blocks())[:1])
    return chain[0].path if chain and isinstance(chain[0].block, (Conv, Patch)) else None


def classifier(architecture: Architecture) -> Step | None:
    """The layer of the head that makes the classes: its last one with weights, if that is linear or a convolution."""
    with_weights = [step for step in steps(architecture.head) if step.tree.params]
    if not with_weights:
        return None
    last = with_weights[-1]
    plain = isinstance(last.block, Linear) or (isinstance(last.block, Conv) and last.block.groups == 1)
    return last if plain and last.tree.out.channels == architecture.classes else None


def feature_shapes(architecture: Architecture) -> dict[str, Shape]:
    """What the stages give, by name; without those that do nothing or give a vector."""
    found = {}
    for number, stage in enumerate(architecture.stages, start=1):
        last = stage.blocks[-1] if stage.blocks else stage.downsampling
        if last is not None and not last.cost.out.is_vector:
            found[f"stage{number}"] = last.cost.out
    return found


class TimmNetwork(Network):
    """A compiled spec as a timm model; its `state_dict` is that of `archdsl.compile`.

    Args:
        architecture: what to compile.
        num_classes: classes of the architecture, or 0 for no classifier.
        global_pool: "" for features that are not pooled (only without a classifier); whatever else, the head pools as
            the spec says.
        drop_rate: probability of dropping an input of the classifier while training.
        drop_path_rate: of the last residual block; block j of L gets rate * j / (L - 1) (arXiv 1603.09382).

    Attributes:
        num_classes: classes of the classifier, 0 without one.
        num_features: channels of `forward_features`; head_hidden_size: of what the classifier gets.
        in_chans: channels of the images.
        global_pool: "avg", "token", "" (not pooled) or None (a head that does neither).
        feature_info: `num_chs`, `reduction` (input side over the side of the map) and `module`, stage by stage.
    """

    def __init__(
        self, architecture: Architecture, *, num_classes: int, global_pool: str | None, drop_rate: float,
        drop_path_rate: float,
    ) -> None:  # fmt: skip
        super().__init__(architecture)
        self.num_classes = architecture.classes
        self.in_chans = architecture.input[0]
        self.drop_rate = _rate("drop_rate", drop_rate)
        set_drop_path(self, _rate("drop_path_rate", drop_path_rate))
        self.grad_checkpointing = False
        self._head = steps(architecture.head)
        self._classifier = classifier(architecture)
        pool = next((step for step in self._head if type(step.block) in POOLING), None)
        self._pool_path = None if pool is None else pool.path
        self._own_pool = None if pool is None else POOLING[type(pool.block)]
        self.global_pool = self._own_pool
        self._outputs = feature_shapes(architecture)
        side = architecture.input[1]
        self.feature_info: list[dict[str, Any]] = [
            {"num_chs": out.channels, "reduction": int(side / out.height + 0.5), "module": name}
            for name, out in self._outputs.items()
        ]
        self.num_features = self._head[0].tree.x.channels if self._head else architecture.classes
        self.head_hidden_size = self._classifier.tree.x.channels if self._classifier else self.num_features
        if num_classes != self.num_classes or global_pool is not None:
            self.reset_classifier(num_classes, global_pool)
        elif self.drop_rate:
            self._the_classifier()

    # ---- features ----

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to what the last stage gives: a map (B, C', H', W') or tokens (B, N, C')."""
        x = self.stem(x)
        for name in self.stages:
            x = self._through(name, x)
        return x

    def _through(self, name: str, x: Tensor) -> Tensor:
        stage = getattr(self, name)
        recomputed = self.grad_checkpointing and self.training and len(stage) > 0
        return checkpoint_seq(stage, x) if recomputed else stage(x)  # type: ignore[no-any-return]

    def forward_intermediates(
        self, x: Tensor, indices: int | Sequence[int] | None = None, norm: bool = False, stop_early: bool = False,
        output_fmt: str = "NCHW", intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:  # fmt: skip
        """The maps of chosen stages, and what the last stage gives.

        Args:
            x: images (B, C, H, W).
            indices: entries of `feature_info`; the last so many for an integer, all for None.
            norm: has no effect: norms stand in the head, and belong to the last stage alone.
            stop_early: leave out stages behind the last chosen one.
            output_fmt: "NCHW".
            intermediates_only: leave out what the last stage gives.

        Returns:
            Maps (B, C', H', W'), those of tokens without their class token.
        """
        if output_fmt != "NCHW":
            raise UsageError(f"features are maps, output_fmt='NCHW', not {output_fmt!r}")
        names = list(self._outputs)
        taken, last = feature_take_indices(len(names), _listed(indices))
        maps: dict[str, Tensor] = {}
        x = self.stem(x)
        for name in self.stages:
            x = self._through(name, x)
            if name in self._outputs:
                maps[name] = _as_map(x, self._outputs[name])
            if name == names[last] and (stop_early or intermediates_only):
                break
        chosen = [maps[names[i]] for i in taken]
        return chosen if intermediates_only else (x, chosen)

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Takes off the stages behind the last of `indices`, and the head; returns the indices, counted from 0."""
        names = list(self._outputs)
        taken, last = feature_take_indices(len(names), _listed(indices))
        kept = self.stages.index(names[last]) + 1
        for name in self.stages[kept:]:
            delattr(self, name)
        self.stages = self.stages[:kept]
        if prune_head:
            self.head, self._head = nn.Sequential(), ()
            self._classifier, self.num_classes = None, 0
        return taken

    # ---- head ----

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Features to logits (B, classes); with `pre_logits`, or without a classifier, to what the classifier gets."""
        last = self._the_classifier() if pre_logits else self._classifier
        for step in self._head:
            if self.global_pool == "" and step.path == self._pool_path:
                break
            if last is not None and step.path == last.path:
                x = F.dropout(x, self.drop_rate, self.training)
                if pre_logits:
                    continue
            x = self.get_submodule(step.path)(x)
        return x

    def get_classifier(self) -> nn.Module:
        """The layer that makes the classes, `nn.Identity` when it was taken off."""
        return self.get_submodule(self._the_classifier().path)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Puts a fresh classifier in the place of the present one, or none for 0 classes.

        Args:
            num_classes: of the new classifier.
            global_pool: "" (only without classes) leaves features as they are before the pooling.

        Raises:
            UsageError: the head has no classifier that could be replaced, or pools in another way.
        """
        if num_classes < 0:
            raise UsageError(f"num_classes must be 0 or more, not {num_classes}")
        name, own, old = self.architecture.name, self._own_pool, self._the_classifier()
        if global_pool == "":
            if num_classes or own is None:
                why = "there is a classifier" if num_classes else f"the head of '{name}' has no 'gap' or 'cls'"
                raise UsageError(f"global_pool='' leaves the pooling out, but {why}", "pass num_classes=0 with it")
        elif global_pool not in (None, "fast", own):
            raise UsageError(
                f"global_pool={global_pool!r}: the head of '{name}' pools as its spec says"
                + (f" (global_pool='{own}')" if own else ""),
                "leave global_pool out, or write another head into the spec",
            )
        self.global_pool = "" if global_pool == "" else own
        layer: nn.Module = nn.Identity()
        if num_classes:
            layer = build_node(_with_classes(old.tree, num_classes))
            initialise(layer)
            like = next(self.parameters())
            layer.to(like.device, like.dtype)
        self.set_submodule(old.path, layer)
        self.num_classes = num_classes

    def _the_classifier(self) -> Step:
        if self._classifier is None:
            raise UsageError(
                f"the head of '{self.architecture.name}' has no classifier that could be told from its other layers",
                "let the head of the spec end in: linear",
            )
        return self._classifier

    # ---- training ----

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the outputs of blocks while training, and compute what is inside them again when needed."""
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Position tables, class tokens, relative biases, scales: whatever is no layer's weight, as in our training."""
        return {name for name, p in self.named_parameters() if p.ndim > 1 and not name.endswith("weight")}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Regular expressions by which timm groups parameters for layer-wise rates: the stem, then block by block."""
        blocks = [(r"^stage(\d+)\.down", (0,)), (r"^stage(\d+)\.block(\d+)", None)]
        return {"stem": r"^stem", "blocks": r"^stage(\d+)" if coarse else blocks}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As PyTorch's; takes the checkpoints of `archdsl train`, too, of which the averaged weights are evaluated."""
        return super().load_state_dict(checkpoint.evaluated(state_dict) or state_dict, strict, assign)


def _with_classes(tree: Tree, classes: int) -> Tree:
    if not isinstance(tree, Leaf):
        raise TypeError(f"not a classifier: {tree!r}")
    argument = "width" if isinstance(tree.block, Conv) else "out_features"
    return tree.block.model_copy(update={argument: classes}).tree(tree.x)


def _as_map(x: Tensor, shape: Shape) -> Tensor:
    """(B, N, C) tokens as (B, C, H, W), class tokens dropped; maps as they are."""
    if shape.is_map:
        return x
    return x[:, shape.prefix :].transpose(1, 2).reshape(x.shape[0], -1, shape.height, shape.width)


def _listed(indices: int | Sequence[int] | None) -> int | list[int] | None:
    return indices if indices is None or isinstance(indices, int) else list(indices)


def _rate(name: str, rate: float) -> float:
    if not 0 <= rate < 1:
        raise UsageError(f"{name} must be at least 0 and below 1, not {rate:g}")
    return float(rate)
