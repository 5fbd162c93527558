"""Effort is bounded: what a small hostile text asks for ends after so many steps, on every machine the same."""

from __future__ import annotations

import math

import pytest

from archdsl import space
from archdsl.base import effort
from archdsl.base.errors import SpecError
from archdsl.language import parse
from archdsl.space.feasibility import COUNTING, DRAWING, LOOKING, SAYING

MUCH = 10**9


def test_what_is_spent_counts_for_all_around() -> None:
    assert effort.left() == math.inf
    with effort.limited(100):
        with effort.limited(30):
            effort.spend(20)
            with pytest.raises(effort.TooLarge):
                effort.spend(20)
        assert effort.left() == 60
        with effort.limited(1_000):
            assert effort.left() == 60
        with pytest.raises(effort.TooLarge):
            effort.spend(61)
    assert effort.left() == math.inf
    effort.spend(MUCH)


# Each took from two seconds to minutes.
HOSTILE = [
    "stage[conv({1|2|3|5|7|11|13},k=1)*99] require params==1234567",
    "stage[C*{1..333}] require params==1234567",
    "stage[{C|M}*{1..333}] require depth<0",
    "stage({1..9999})[C] require params*macs<=1",
    "stage({1..99})[C(k={1..99})] require params<1",
    "stage({1..99}*{1..99}*{1..99})[C] require depth<0",
    "stage[(C*{1..31})*{1..31}] require not (params>=1K or macs>=1M)",
    "stage[C(k={1..999})*9] require params==1234567",
    "stage[residual[{conv|norm}*99]] require params*macs<=1",
    "let H={1|2} let K={1|H} let L={H|K} stage[(M(heads=H) M(heads=K) M(heads=L))*333] require params<1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_checking_ends(text: str) -> None:
    spec = parse(text)
    with effort.limited(MUCH):
        try:
            space.check(spec)
        except SpecError as error:
            assert "member" in error.diagnostics[0].message
        spent = MUCH - effort.left()
    assert spent < 2 * (DRAWING + COUNTING + LOOKING + SAYING)


def test_little_effort_is_enough_for_what_can_be_known() -> None:
    """A space of 10^30 that no member can satisfy, by what its sums add up to."""
    stages = " ".join(["stage[{C|M}*25]"] * 4)
    with pytest.raises(SpecError, match="at once"):
        space.check(parse(stages + "require params <= 40M require count(C, stage=4) >= 20"))


def test_what_was_too_much_for_a_check_is_counted_where_there_is_time() -> None:
    text = "stage[conv({1|2|3|5|7|11|13},k=1)*9] require params==1234567"
    spec = parse(text)
    with effort.limited(1_000):
        known = space.counted.counted(spec)
    assert known is None or not known.is_exact
    assert space.extent(spec).feasible == space.extent(parse(text)).feasible == 0


@pytest.mark.parametrize(
    "text",
    [
        "let A=C*{1..2} let B=A*{1..2} let D=B*{0..2} stage[C D]",
        "let A={M|C} let B=A {A|C} let D=B {B|A} stage[D A]",
        "let H={1|2} let A={M(heads=H)|C} stage[(A {A|M(heads=H)})*{0..2} C]",
        "let A=C*{1..3} stage[{A|M} {A|M A}]",
    ],
)
def test_size_of_holes_in_holes(text: str) -> None:
    """Against all fillings, one by one."""
    spec = parse(text)
    assert space.size(spec) == len(list(space.fillings(spec)))


def test_size_of_repeats_of_repeats() -> None:
    """Each doubles or does not; all stand in each other, and each is met."""
    lets = "\n".join(f"let L{i + 1}=L{i}*{{1..2}}" for i in range(11))
    assert space.size(parse(f"let L0=C\n{lets}\nstage[L11]")) == 2**11


def test_a_space_that_is_too_much_to_look_at_says_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing that can be counted: `require` that only measuring decides, beside a division by zero."""
    monkeypatch.setattr(space.feasibility, "COUNTING", 1)
    monkeypatch.setattr(space.feasibility, "LOOKING", 1)
    text = "stage(16)[sum[{C|M} {conv(32)|conv(64)}]] require latency_ms > count(C) // count(C) / 0"
    with pytest.raises(SpecError, match=r"do not match: .* there is too much in it to try others"):
        space.check(parse(text))
