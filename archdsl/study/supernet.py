"""A space in, one set of weights for all of its members out: members are put together from blocks that they share.

Single-path one-shot with uniform sampling (arXiv 1904.00420): every step of the training draws a member and moves the
weights of its blocks alone.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archdsl import ir, space
from archdsl.base.errors import RunError
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture, PlacedBlock, digest
from archdsl.network.model import Network, set_drop_path
from archdsl.study.candidate import seeded
from archdsl.training.loop import steps_per_epoch, train

MOST_PARAMS = 2**28  # of all blocks together: 4 GiB with gradients and the optimiser's two moments


def share_key(block: PlacedBlock) -> str:
    """What two members have in common when they share the weights of a block.

    That is its place in the network (`stage2.block3`), what it computes with all its arguments, and the shape that
    flows in. Blocks of other widths have weights of their own; none are cut out of larger ones.
    """
    return f"{block.path.replace('.', '/')}-{digest([block.meaning, list(block.x)])[:16]}"


class Supernet(nn.Module):
    """The blocks of the members seen so far, each once; as a module it computes what the chosen member does.

    Args:
        seed: of the weights. The first member gets those that it would get alone.
        drop_path_rate: of the last block of each member, `drop_path` of the recipe.

    Attributes:
        blocks: by `share_key`.
        params: of all blocks together.
    """

    def __init__(self, seed: int, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.seed = seed
        self.drop_path_rate = drop_path_rate  # `drop_path` would be taken for that of a block
        self.blocks = nn.ModuleDict()
        self.params = 0
        self._chosen: tuple[Network, ...] = ()  # in a tuple, or its blocks would be registered twice

    def add(self, architecture: Architecture) -> None:
        """Make the blocks of a member that are not there yet.

        Raises:
            RunError: all blocks together have too many parameters.
        """
        new = {block.path: key for block in architecture.blocks() if (key := share_key(block)) not in self.blocks}
        if not new:
            return
        self.params += sum(block.cost.params for block in architecture.blocks() if block.path in new)
        if self.params > MOST_PARAMS:
            count = len(self.blocks) + len(new)
            raise RunError(
                f"a supernet of this space has over {MOST_PARAMS:,} parameters in {count:,} blocks",
                "use another screen, or leave fewer holes that change widths and shapes",
            )
        # Taken from the whole network, so that a block's weights are drawn as they always are.
        fresh = seeded(architecture, self.seed + 1_000_003 * len(self.blocks))
        for path, key in new.items():
            self.blocks[key] = fresh.get_submodule(path)

    def knows(self, architecture: Architecture) -> bool:
        """Whether all blocks of a member are there."""
        return all(share_key(block) in self.blocks for block in architecture.blocks())

    def member(self, architecture: Architecture) -> Network:
        """The network of a member it knows; its weights are those of the supernet, not copies."""
        network = Network(architecture, lambda block: self.blocks[share_key(block)])
        set_drop_path(network, self.drop_path_rate)
        return network

    def choose(self, architecture: Architecture) -> None:
        """Be this member from now on."""
        self._chosen = (self.member(architecture),)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to the logits (B, classes) of the chosen member."""
        (network,) = self._chosen
        logits: Tensor = network(x)
        return logits


@dataclass(frozen=True)
class Coverage:
    """How often the blocks of a trained supernet were trained.

    Attributes:
        steps: of the whole training.
        blocks: how many there are.
        median, fewest: steps of one block.
    """

    steps: int
    blocks: int
    median: float
    fewest: int


def train_supernet(
    spec: ir.Spec, data: Dataset, recipe: Recipe, *, seed: int, device: torch.device | str = "cpu",
    on_step: Callable[[int, int], None] | None = None, checkpoint: Path | None = None,
) -> tuple[Supernet, Coverage]:  # fmt: skip
    """Train the weights that all members of a space share; interrupted, it goes on from its checkpoint.

    Members are drawn evenly from the feasible fillings. A space of one member is trained exactly as that network is.

    Args:
        spec: the space, fitted to the data.
        data, recipe, seed, device, on_step, checkpoint: as for `archdsl.training.loop.train`.

    Raises:
        RunError: the space has no member that could be drawn, or too many different blocks; or the training failed.
        StudyError: the checkpoint belongs to another training.
    """
    steps = recipe.epochs * steps_per_epoch(data, recipe)
    supernet = Supernet(seed, recipe.drop_path)
    met: Counter[str] = Counter()
    order = hashlib.sha256()
    turns = Turns(spec, seed)
    for step in range(steps):  # all that the training will meet, since the optimiser has to know them from the start
        member = turns.at(step)
        supernet.add(member)
        met.update(map(share_key, member.blocks()))
        order.update(member.hash.encode())
    turns = Turns(spec, seed)
    supernet.choose(turns.at(0))
    train(
        supernet, data, recipe, seed=seed, device=device, on_step=on_step,
        before_step=lambda step: supernet.choose(turns.at(step)), checkpoint=checkpoint,
        metadata={"supernet": order.hexdigest()},
    )  # fmt: skip
    return supernet, Coverage(steps, len(met), statistics.median(met.values()), min(met.values()))


class Turns:
    """Which member is trained in which step: drawn evenly from the feasible fillings, the same for the same seed.

    Drawn anew where they are needed, since a long training has more turns than fit in memory.
    """

    def __init__(self, spec: ir.Spec, seed: int) -> None:
        self._stream = space.stream(spec, seed)
        self._drawn = 0
        self._last: Architecture | None = None

    def at(self, step: int) -> Architecture:
        """The member of a step, which must not lie before the last one asked for.

        Raises:
            RunError: none could be drawn.
        """
        while self._drawn <= step:
            self._last = next(self._stream, None)
            self._drawn += 1
        if self._last is None:
            raise RunError("no feasible member among those drawn from this space", "loosen 'require'")
        return self._last


@torch.no_grad()
def recalibrate(network: nn.Module, images: Sequence[Tensor]) -> None:
    """Replace the running statistics of every BatchNorm by those over some minibatches; the network ends in eval mode.

    Those of a supernet are averages over many members and fit none of them.

    Args:
        network: changed in place.
        images: minibatches (B, C, H, W), normalised; every image counts alike if they are of one size.
    """
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    try:
        for batch in images if norms else ():
            network(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
