"""Conditions that speak of what only measuring tells: three values of truth, and counts of what is left."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys

import pytest
from small_spaces import small_space

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.interchange.arch_text import write
from archdsl.ir.conditions import allows, countable, is_measured, open_measures, reader, truth, unmet
from archdsl.language import parse
from archdsl.network import Architecture, resolve, resolve_model

# A comparison that is true, one that is false, one that is open until latency is measured.
ATOMS = {"depth == 1": True, "depth != 1": False, "latency_ms <= 2": None}
VALUE = {True: 1.0, False: 0.0, None: 0.5}
OF = {1.0: True, 0.0: False, 0.5: None}


def conditions(text: str) -> tuple[ir.Condition, ...]:
    return parse(f"stage(8)[C]\n{text}").require


NETWORK = resolve(parse("stage(8)[C]"))


@pytest.mark.parametrize("op", ["and", "or"])
@pytest.mark.parametrize("pair", list(itertools.product(ATOMS, repeat=2)))
def test_the_truth_table(op: str, pair: tuple[str, str]) -> None:
    (condition,) = conditions(f"require {pair[0]} {op} {pair[1]}")
    kleene = {"and": min, "or": max}[op](VALUE[ATOMS[atom]] for atom in pair)
    assert truth(condition, reader(NETWORK)) is OF[kleene]


@pytest.mark.parametrize("atom", ATOMS)
def test_the_truth_table_of_not(atom: str) -> None:
    (condition,) = conditions(f"require not {atom}")
    assert truth(condition, reader(NETWORK)) is OF[1 - VALUE[ATOMS[atom]]]


def tree(rng: random.Random, depth: int = 0) -> tuple[str, float]:
    """A condition as text, and its value by Kleene's tables: false 0, open 1/2, true 1; and is min, or is max."""
    kind = rng.random()
    if depth == 4 or kind < 0.3:
        atom = rng.choice(list(ATOMS))
        return atom, VALUE[ATOMS[atom]]
    if kind < 0.5:
        text, value = tree(rng, depth + 1)
        return f"not ({text})", 1 - value
    parts = [tree(rng, depth + 1) for _ in range(rng.randint(2, 3))]
    op, join = rng.choice((("and", min), ("or", max)))
    return f"({f' {op} '.join(text for text, _ in parts)})", join(value for _, value in parts)


def test_trees_have_the_truth_that_the_tables_give_them() -> None:
    rng = random.Random(0)
    found = set()
    for _ in range(400):
        text, value = tree(rng)
        (condition,) = conditions(f"require {text}")
        known = truth(condition, reader(NETWORK))
        assert known is OF[value], text
        found.add(known)
        if known is not None:  # then no measurement could change it
            assert {truth(condition, reader(NETWORK, {"latency_ms": ms})) for ms in (0.1, 1, 2, 3, 1e6)} == {known}
        measured = [truth(condition, reader(NETWORK, {"latency_ms": ms})) for ms in (1, 3)]
        assert None not in measured
        # What can be counted of it: just that it is not certainly broken.
        left = countable([condition])
        assert not any(map(is_measured, left))
        assert all(truth(part, reader(NETWORK)) for part in left) == allows(condition, NETWORK)
    assert found == {True, False, None}


def test_conditions_without_latency_stay_as_they_are() -> None:
    spec = parse("stage[{C|M}*2] require count(M) >= 1 require not depth > 3 or params <= 1K")
    assert countable(spec.require) == spec.require
    assert open_measures(spec.require) == ()
    assert open_measures(conditions("require macs / latency_ms >= 1 require latency_ms <= 2")) == ("latency_ms",)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("latency_ms <= 2", None),
        ("latency_ms <= 2 and params <= 2M", "params <= 2M"),
        ("latency_ms <= 2 and params <= 2M and depth > 1", "params <= 2M and depth > 1"),
        ("latency_ms <= 2 or params <= 2M", None),
        ("not (latency_ms <= 2 or params <= 2M)", "not params <= 2M"),
        ("not (latency_ms <= 2 and params <= 2M)", None),
        ("not not (latency_ms <= 2 and params <= 2M)", "not not params <= 2M"),
        ("params * latency_ms <= 2M", None),
        ("(latency_ms <= 2 or depth > 2) and (params > 9 or depth > 1)", "params > 9 or depth > 1"),
    ],
)
def test_what_is_left_to_count(text: str, left: str | None) -> None:
    assert countable(conditions(f"require {text}")) == (() if left is None else conditions(f"require {left}"))


def with_latency(text: str, rng: random.Random) -> str:
    """The text of a space with latency woven into its requirements."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("require"):
            said = line.removeprefix("require ")
            lines[number] = "require " + rng.choice(
                (
                    f"({said}) and latency_ms <= 2",
                    f"({said}) or latency_ms > 1",
                    f"not (latency_ms > 2 or not ({said}))",
                    f"not ({said}) or not latency_ms <= depth",
                )
            )
    return "\n".join(
        [*lines, rng.choice(("require latency_ms <= 2", "require params / latency_ms > 1K and depth < 9"))]
    )


@pytest.mark.parametrize("start", [3000, 3040])
def test_counts_are_of_what_is_not_certainly_broken(start: int) -> None:
    """By enumeration, each filling looked at in three-valued logic."""
    rng = random.Random(start)
    texts = [with_latency(t, rng) for seed in range(start, start + 40) if (t := small_space(seed)) is not None]
    assert len(texts) > 5
    for text in texts:
        spec = parse(text)
        fitting = [found for found in space.fillings(spec) if isinstance(found, Architecture)]
        feasible = [m for m in fitting if all(truth(c, reader(m)) is not False for c in spec.require)]
        networks = {member.hash for member in feasible}
        found = space.extent(spec)
        assert (found.feasible, found.networks) == (len(feasible), len(networks))
        assert {member.hash for member in space.members(spec)} == networks
        if feasible:
            assert space.check(spec).hash in networks
            assert {member.hash for member in space.sample(spec, 3, seed=0)} <= networks
        else:
            with pytest.raises(SpecError):
                space.check(spec)


def test_a_broken_condition_says_what_was_measured() -> None:
    (condition,) = conditions("require latency_ms <= 2 and depth < 5")
    assert unmet(condition, NETWORK) is None
    assert unmet(condition, NETWORK, {"latency_ms": 1.99}) is None
    found = unmet(condition, NETWORK, {"latency_ms": 2.3456}, "use smaller widths")
    assert found is not None
    assert (found.message, found.help) == (
        "this requirement is not met: latency_ms is 2.35, depth is 1", "use smaller widths",
    )  # fmt: skip
    assert found.span is not None
    assert found.span.line == 2


def test_a_division_by_zero_is_no_number_and_so_broken() -> None:
    (condition,) = conditions("require latency_ms / (depth - 1) <= 2")
    assert truth(condition, reader(NETWORK)) is None
    assert truth(condition, reader(NETWORK, {"latency_ms": 1.0})) is False


def test_latency_is_no_part_of_a_network() -> None:
    model = resolve_model(parse("stage[C] require latency_ms <= 2 and params <= 1M"))
    assert model.hash == resolve(parse("stage[C]")).hash
    assert "require" not in write(model)


def test_check_and_space_tell_what_is_undecided_and_never_import_pytorch() -> None:
    code = (
        "import sys; from archdsl.cli.main import run; code = run([sys.argv[1], '-']);"
        "sys.exit('imported torch' if 'torch' in sys.modules else code)"
    )

    def said(command: str, text: str) -> str:
        done = subprocess.run([sys.executable, "-c", code, command], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = "stage(8)[{C|M}*2] require latency_ms <= 2 and count(M) >= 1"
    assert said("check", text) == "-: ok, a space of 4; not decided: latency_ms, which only measuring tells\n"
    lines = said("space", text).splitlines()
    assert lines[0] == "4 fillings, 3 feasible, 3 different networks"
    assert lines[1] == "not counting what latency_ms excludes, which only measuring tells"
    assert "not decided: latency_ms" in said("check", "stage(8)[C] require latency_ms <= 2")
    assert "decided" not in said("check", "stage(8)[C] require latency_ms <= 2 or depth == 1")
