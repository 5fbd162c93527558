"""Any space: its size against an independent walk through its holes, its members printed and read again."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl import ir, space
from archdsl.interchange.arch_text import write
from archdsl.ir.values import calculate
from archdsl.language import parse
from archdsl.network import Architecture


class Walk:
    """An independent way through a spec: meets the holes and nothing else, no shapes, no blocks."""

    def __init__(self, choices: list[int]) -> None:
        self.choices = choices
        self.met: list[tuple[str, int]] = []
        self.decided: dict[str, int] = {}

    def decide(self, name: str, options: int) -> int:
        if name not in self.decided:
            self.met.append((name, options))
            if len(self.met) > len(self.choices):
                self.choices.append(0)
            self.decided[name] = self.choices[len(self.met) - 1]
        return self.decided[name]

    def value(self, part: Any) -> Any:
        match part:
            case ir.Pick():
                return self.value(part.options[self.decide(part.name, len(part.options))])
            case ir.IntRange():
                return part.low + part.step * self.decide(part.name, part.count())
            case ir.Arithmetic():
                left, right = self.value(part.left), self.value(part.right)
                return calculate(part.op, left, right) if None not in (left, right) else None
            case ir.Variable() | ir.FloatRange():
                return None
        return part

    def items(self, items: ir.Items) -> None:
        for item in items:
            match item:
                case ir.BlockSpec():
                    for argument in item.arguments.values():
                        self.value(argument)
                    self.items(item.items or ())
                case ir.ChoiceSpec():
                    self.items(item.options[self.decide(item.name, len(item.options))])
                case ir.RepeatSpec():
                    for copy in item.taken(self.value(item.times)):
                        self.items(copy)

    def through(self, spec: ir.Spec) -> None:
        for hole in spec.holes:
            self.value(hole)
        self.items(spec.stem)
        for stage in spec.stages:
            for hole in stage.holes:
                self.value(hole)
            for own in (stage.width, stage.stride, stage.down):
                self.value(own)
            self.items(stage.items)
        self.items(spec.head)
        for argument in spec.train.values():
            self.value(argument)


def enumerated(spec: ir.Spec, most: int) -> int:
    """How many ways there are to walk through, one by one."""
    choices: list[int] = []
    count = 0
    while count <= most:
        walk = Walk(choices)
        walk.through(spec)
        count += 1
        choices = choices[: len(walk.met)]
        while choices and choices[-1] + 1 >= walk.met[len(choices) - 1][1]:
            choices.pop()
        if not choices:
            return count
        choices[-1] += 1
    return count


LETS = """
let S = {C|M}
let D = {C|S|M S}
let R = {S|norm}*2
let H = {1|{2|4}}
let N = {1..2}
let A = msa(heads={1|2})
"""
BLOCKS = st.sampled_from(
    [
        "C",
        "M",
        "S",
        "D",
        "R",
        "A",
        "M(heads=H)",
        "C*N",
        "A(window={4|8})",
        "S*{0..2}",
        "C(k={1|3})",
        "norm",
        "M(heads=width//32)",
    ]
)
ITEMS: st.SearchStrategy[str] = st.recursive(
    BLOCKS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: f"({' '.join(parts)})"),
        st.lists(st.lists(inner, max_size=2).map(" ".join), min_size=2, max_size=3).map(lambda o: f"{{{'|'.join(o)}}}"),
        st.tuples(inner, st.sampled_from(["2", "{1..2}", "{0|2}", "N", "(N+1)"])).map(lambda p: f"{p[0]}*{p[1]}"),
    ),
    max_leaves=4,
)
STAGES = st.tuples(
    st.sampled_from(["(64)", "({32|64})", "(64, act={relu|gelu})", "(64, head_dim=H*8)", ""]),
    st.lists(ITEMS, max_size=3).map(" ".join),
).map(lambda p: f"stage{p[0]}[{p[1]} basic msa]")
SPACES = st.lists(STAGES, min_size=1, max_size=2).map(lambda stages: LETS + "\n".join(stages))
QUICK = settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@QUICK
@given(SPACES)
def test_size_is_what_enumeration_finds(text: str) -> None:
    spec = parse(text)
    size = space.size(spec)
    if size <= 600:
        assert enumerated(spec, 700) == size
    if size <= 100:
        fillings = list(space.fillings(spec))
        assert all(isinstance(filling, Architecture) for filling in fillings)
        assert len(fillings) == size


@settings(QUICK, max_examples=40)
@given(SPACES, st.integers(0, 1000))
def test_members_are_files_without_holes(text: str, seed: int) -> None:
    member = space.draw(parse(text), random.Random(seed))
    assert member is not None
    printed = write(member)
    assert "{" not in printed
    again = space.check(parse(printed))
    assert (again.hash, again.params, again.macs, again.layout) == (
        member.hash,
        member.params,
        member.macs,
        member.layout,
    )
    assert write(again) == printed
