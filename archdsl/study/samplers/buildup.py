"""`buildup`: the paper's own rule (arXiv 2202.06709, section 4.1), which replaces Convs by MSAs from the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from archdsl.base.errors import UsageError
from archdsl.network import Architecture, Misfit, first_option, resolve
from archdsl.space.enumeration import is_feasible
from archdsl.study.baselines import placements
from archdsl.study.record import key_of
from archdsl.study.samplers import SAMPLERS, Setting
from archdsl.study.samplers.evolution import Evolution
from archdsl.study.samplers.members import merits
from archdsl.training.usual import usual_recipe

Merits = Mapping[Hashable, float]  # by network, of what ended; -inf where a training failed
Stages = tuple[tuple[str, ...], ...]  # places not yet tried: the last stage first, its last place first


@SAMPLERS.register("buildup")
def buildup(setting: Setting) -> BaseSampler:
    """The rule; when it has nothing left to try, evolution goes on from what it trained.

    Raises:
        UsageError: no hole of the space decides between a convolution and an attention block.
    """
    return Buildup(setting)


class Buildup(Evolution):
    """All Conv, then one MSA more at a time, every second block from the end, as long as the first objective improves.

    Where a replacement does not, the rule goes on at the end of the previous stage. It is replayed from the study's
    history for every proposal. Replacements that do not fit are passed over; holes that place no attention are decided
    as in the baselines.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        places = placements(self.spec)
        if not places:
            raise UsageError(
                "the sampler 'buildup' replaces convolutions by attention, but no place of this space is a choice "
                "between the two",
                "write such places as {C|M}, or choose another --sampler",
            )
        self.conv = {name: place[0] for name, place in places.items()}
        self.msa = {name: place[1] for name, place in places.items()}
        stages: dict[str, list[str]] = {}
        for name, place in places.items():
            stages.setdefault(place[4], []).append(name)
        self.stages: Stages = tuple(tuple(reversed(names)) for names in reversed(stages.values()))

    def candidates(self, trials: Sequence[FrozenTrial]) -> Iterator[Architecture | None]:
        """What the rule wants to know next, and after the rule mutants."""
        ended: dict[Hashable, float] = {}
        for trial in trials:
            if trial.state is not TrialState.RUNNING:
                found = merits(trial, self.setting.directions)
                ended[self.key(trial)] = -math.inf if found is None else found[0]
        yield from self.rule((), self.stages, ended)
        yield from super().candidates(trials)

    def rule(self, kept: tuple[str, ...], stages: Stages, ended: Merits) -> Iterator[Architecture]:
        """Members the rule compares from here on; more than two only while some of them are still in training.

        Args:
            kept: places with an MSA so far.
            stages: places not yet tried.
            ended: the first objective of what was trained, more being better.
        """
        current = self._with(kept)
        while stages:
            if not stages[0]:
                stages = stages[1:]
                continue
            place, further = stages[0][0], (stages[0][1:], *stages[1:])
            grown = self._with((*kept, place))
            if grown is None or (current is not None and not _is_a_step(current, grown)):
                stages = further
                continue
            if not is_feasible(self.spec, grown):
                if not self._fits(current):  # a requirement may ask for more MSAs than these
                    kept, current = (*kept, place), grown
                stages = further
                continue
            before = ended.get(key_of(current)) if current is not None and self._fits(current) else -math.inf
            after = ended.get(key_of(grown))
            if before is None or after is None:
                yield from (member for member in (current, grown) if member is not None and self._fits(member))
                # Other workers have them in training: what follows if this one is kept, and what if not.
                yield from self.rule((*kept, place), further, ended)
                yield from self.rule(kept, stages[1:], ended)
                return
            if after > before:
                kept, current, stages = (*kept, place), grown, further
            else:
                stages = stages[1:]

    def _with(self, kept: Sequence[str]) -> Architecture | None:
        """The network with MSAs at these places alone, whatever is required of it; None where it does not fit."""
        choices = usual_recipe(self.spec) | self.conv | {name: self.msa[name] for name in kept}
        try:
            return resolve(self.spec, lambda hole: choices.get(hole.name, first_option(hole)))
        except Misfit:
            return None

    def _fits(self, network: Architecture | None) -> bool:
        return network is not None and is_feasible(self.spec, network)


def _is_a_step(current: Architecture, grown: Architecture) -> bool:
    """Whether a replacement changed the network, and put no MSA next to another: they alternate with Convs."""
    return grown.hash != current.hash and neighbours(grown) <= neighbours(current)


def neighbours(member: Architecture) -> int:
    """How many attention blocks of a stage directly follow another."""
    attending = {unit.path for unit in member.units if unit.kind == "msa"}
    count = 0
    for stage in member.stages:
        marks = [any(f"{path}.".startswith(f"{block.path}.") for path in attending) for block in stage.blocks]
        count += sum(a and b for a, b in itertools.pairwise(marks))
    return count
