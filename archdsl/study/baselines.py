"""Makes the layouts that a found one has to beat: all Conv, all MSA, alternating, in the same space."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl import ir
from archdsl.blocks.composites.definition import attends
from archdsl.ir.wording import option_labels
from archdsl.network import Architecture, first_option
from archdsl.space import Hole, attempt
from archdsl.training.usual import usual_recipe


def placements(spec: ir.Spec) -> dict[str, tuple[int, int, str, str, str]]:
    """The decisions between a convolution block and an attention block.

    Returns:
        By hole: the option that convolves, the one that attends, their labels, and the part of the spec it stands in.
    """
    found = {}
    for hole in ir.holes(spec):
        if not isinstance(hole, ir.ChoiceSpec) or len(hole.options) != 2:
            continue
        found_in = [_attends(option, spec) for option in hole.options]
        if sorted(a for a in found_in if a is not None) == [False, True]:
            conv, msa = found_in.index(False), found_in.index(True)
            labels = option_labels(hole)
            found[hole.name] = (conv, msa, labels[conv], labels[msa], hole.name.split(".")[0])
    return found


def _attends(option: ir.Items, spec: ir.Spec) -> bool | None:
    """Whether an option is one attention block; None when it is no single block."""
    match option:
        case (ir.BlockSpec() as block,):
            return attends(block, spec.blocks)
    return None


def baselines(spec: ir.Spec, others: Mapping[str, float] | None = None) -> dict[str, Architecture]:
    """All-Conv, all-MSA and alternating members, by name (`all C`, `all M`, `alternating`).

    Args:
        spec: the space.
        others: how to decide holes that place no attention; by default those of `train(…)` as near to the default
            recipe as the space allows, others to their first option.

    Returns:
        Those that fit together and satisfy `require`; nothing when the space places no attention.
    """
    places = placements(spec)
    if not places:
        return {}
    # Alternating starts anew in every stage, with a Conv.
    turns: dict[str, int] = {}
    counter: dict[str, int] = {}
    for name, place in places.items():
        turns[name] = counter.get(place[4], 0)
        counter[place[4]] = turns[name] + 1
    labels = next(iter(places.values()))
    layouts = {
        f"all {labels[2]}": {name: place[0] for name, place in places.items()},
        f"all {labels[3]}": {name: place[1] for name, place in places.items()},
        "alternating": {name: place[turns[name] % 2] for name, place in places.items()},
    }
    found = {}
    rest = usual_recipe(spec) | dict(others or {})
    for layout, choices in layouts.items():
        member = attempt(spec, lambda hole, choices=choices: _decide(hole, rest | choices))  # type: ignore[misc]
        if member is not None:
            found[layout] = member
    return found


def _decide(hole: Hole, choices: Mapping[str, float]) -> float:
    return choices.get(hole.name, first_option(hole))
