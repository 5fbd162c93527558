"""Spaces: their sizes, what is feasible, and members that are files themselves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from work import at_most

from archdsl import ir, space
from archdsl.base import resources
from archdsl.base.errors import SpecError
from archdsl.interchange.arch_text import write
from archdsl.language import parse
from archdsl.network import Misfit


def extent(text: str) -> tuple[int, int | None, int | None]:
    """Size, feasible fillings, networks."""
    found = space.extent(parse(text))
    return found.size, found.feasible, found.networks


# ---- size ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size", "networks"),
    [
        ("stage(128, heads={2|4|8})[{C|M}*3]", 24, 22),  # heads is idle when all three are C
        ("stage[C C C M]", 1, 1),
        ("let B = {C|M} stage[B {C|M} B]", 4, 4),
        ("let X = {C|M}*3 stage[X]", 8, 8),
        ("let X = ({C|M} {C|M}) stage[X X]", 4, 4),
        ("stage[({C|M} {C|M})*2]", 16, 16),
        ("stage[C*{1..3}]", 3, 3),
        ("stage[C*{1|3}]", 2, 2),
        ("stage[C*({1..3}*2)]", 3, 3),
        ("stage[{C|M}*{1..3}]", 2 + 4 + 8, 14),
        ("stage[{C|M}*({1|3}/2*2)]", 2 + 8, 10),
        ("stage[({C|M} {C|M})*{0..2} C]", 1 + 4 + 16, 21),
        ("let N = {1..3} stage[C*N M*N]", 3, 3),
        ("let N = {1..3} stage[{C*N|M} M*N]", 6, 6),
        ("stage[C {M|}]", 2, 2),
        ("stage[{C {C|M}|M|}]", 4, 4),
        ("stage[{C|M(heads={2|4|8})}]", 4, 4),
        ("stage(64, heads={1|{2|4}})[M]", 3, 3),
        ("stage(64, heads={2|4})[C M(heads=1)]", 2, 1),
        ("stage(64, heads={2|4})[{C|M}] stage(128)[{C|M}]", 8, 6),
        ("defaults(heads={2|4}) stage[{C|M}] stage[{C|M}]", 8, 7),
        ("let A = msa(heads={1|2}) stage[A A]", 2, 2),
        ("let A = msa(heads={1|2}) stage[A(window={4|8}) A(window={4|8})]", 8, 8),
        ("stage({192..256 step 32})[C]", 3, 3),
        ("let H = {2|4} stage(64, heads=H)[M] stage(128, heads=H*2)[M]", 2, 2),
        ("stem conv({16|32}) {norm act|} stage[C] head {norm|} gap linear", 8, 8),
        ("stage[C] train(epochs={1..5}, lr={1e-4..1e-2 log})", 5, 1),
        ("stage[{C|C}]", 2, 1),
        ("block g = residual[{conv|conv(k=5)} norm {act|}] stage(32)[g g*2 {g|M}]", 320, 320),
        ("stage[residual[{conv|conv(k=5)}]*2 sum[{conv|norm} {conv|norm}]]", 16, 16),
        ("let B = {conv|norm} stage[residual[B] sum[B {act|B}]]", 4, 4),
        ("block g(k=3) = residual[conv(k=k) {act|act}] stage[g(k={3|5})]", 4, 2),
        ("stage({32|64})[C] stage[C]", 2, 2),
    ],
)
def test_size(text: str, size: int, networks: int) -> None:
    assert extent(text) == (size, size, networks)


def test_size_of_large_spaces_is_exact_and_quick() -> None:
    shared = "\n".join(f"let B{i} = {{C|M {{C|M}}}}" for i in range(40))
    uses = " ".join(f"B{i}" for i in range(40))
    with at_most(calls=3_000_000):
        assert space.size(parse("stage[{C|M}*1000]")) == 2**1000
        assert space.size(parse("stage[conv({1..10000})*200]")) == 10**800
        assert space.size(parse(f"{shared}\nstage[{uses}] stage[{uses}]")) == 3**40


def test_too_many_shared_holes_under_conditions_are_an_error_not_a_wait() -> None:
    lets = "\n".join(f"let B{i} = {{C|M|T|norm}}" for i in range(30))
    uses = " ".join(f"{{B{i}|act}}" for i in range(30))
    with pytest.raises(SpecError, match="too many ways"):
        space.check(parse(f"{lets}\nstage[{uses}] stage[{uses}]"))


# ---- what is feasible ----------------------------------------------------------------------------------------


def test_requirements_and_misfits_are_not_feasible() -> None:
    assert extent("stage[{C|M} {C|M}] require count(M) >= 1") == (4, 3, 3)
    assert extent("stage(64)[M(window={4|7|8})]") == (3, 2, 2)
    assert extent("stage({64|66})[bottleneck {C|M}] require count(C) == 1") == (4, 1, 1)


@pytest.mark.parametrize(
    ("condition", "feasible"),
    [
        ("count(M) == 2", 3),
        ("count(M, stage=1) == 1 and count(M, stage=2) == 1", 2),
        ("count(M) == 0 or count(C) == 0", 2),
        ("not count(M) > 0", 1),
        ("not (count(M) > 0 and count(C) > 0)", 2),
        ("depth == 3", 8),
        ("depth != 3", 0),
        ("count(msa) + count(basic) == depth", 8),
        ("count(M)*2 > depth", 4),
        ("params <= 1G and macs < 1000G", 8),
    ],
)
def test_requirements(condition: str, feasible: int) -> None:
    spec = parse(f"stage[{{C|M}} {{C|M}}] stage[{{C|M}}] require {condition}")
    assert space.extent(spec).feasible == feasible
    assert len(list(space.members(spec))) == feasible


def test_requirements_hold_at_the_number_itself() -> None:
    params = space.check(parse("stage[C M]")).params
    for condition, holds in (
        (f"<= {params}", True),
        (f"< {params}", False),
        (f"== {params}", True),
        (f"> {params - 1}", True),
    ):
        text = f"stage[C M] require params {condition}"
        if holds:
            assert space.check(parse(text)).params == params
        else:
            with pytest.raises(SpecError, match=f"params is {params:,}"):
                space.check(parse(text))


def test_an_empty_space_says_what_it_can_reach() -> None:
    with pytest.raises(SpecError) as caught:
        space.check(parse("stage[{C|M}*3]\nrequire count(M) > 3\nrequire depth == 3"))
    (found,) = caught.value.diagnostics
    assert found.help == "here count(M) goes from 0 to 3"
    assert found.span is not None
    assert found.span.line == 2


def test_requirements_that_only_together_cannot_be_met_say_so() -> None:
    with pytest.raises(SpecError, match="and the others at once") as caught:
        space.check(parse("stage[{C|M}*3] require count(M) >= 2 require count(C) >= 2"))
    assert len(caught.value.diagnostics) == 1


def test_a_product_of_counts_that_nobody_reaches_is_said_to_be_so_behind_a_long_repeat() -> None:
    """There are 99 fillings of up to 100 blocks; those of equal ends share what is counted."""
    with pytest.raises(SpecError) as caught:
        space.check(parse("stage(32, heads=2)[norm*{1..99} conv(k=1) M] require count(M, stage=1)*count(msa) > 20K"))
    assert caught.value.diagnostics[0].help == "here count(M, stage=1) is 1, count(msa) is 1"


def test_check_returns_a_feasible_member() -> None:
    member = space.check(parse("stage[{C|M}*3] require count(M) == 2 require count(M, stage=1) == 2"))
    assert member.layout == [["C", "M", "M"]]


# ---- members -------------------------------------------------------------------------------------------------


def test_decisions_are_named_by_place_and_let() -> None:
    text = (
        "let B = {C|M|} stage(64, heads={2|4})[B {C M|M*{1..2}}] stage({64..128 step 32})[C] train(lr={1e-4..1e-2 log})"
    )
    assert [(d.name, d.choices) for d in space.decisions(parse(text))] == [
        ("stage1.heads", ("2", "4")),
        ("B", ("C", "M", "-")),
        ("stage1.block2", ("C M", "M*{1..2}")),
        ("stage1.block2.2.1.times", ("1", "2")),
        ("stage2.width", ("64", "96", "128")),
        ("train.lr", ("0.0001", "0.01")),
    ]


def test_a_member_tells_what_was_decided_where_it_was_met() -> None:
    spec = parse("let B = {C|M} stage(64, heads={2|4})[B {C|M(window={4|8})} B]")
    options: list[Callable[[Any], float]] = [lambda hole: 0, lambda hole: 1]
    first, last = (space.attempt(spec, choose) for choose in options)
    assert first is not None
    assert last is not None
    assert first.decisions == {"stage1.heads": "2", "B": "C", "stage1.block2": "C"}
    assert last.decisions == {"stage1.heads": "4", "B": "M", "stage1.block2": "M", "stage1.block2.2.window": "8"}
    assert last.choices == dict.fromkeys(last.decisions, 1)


def test_members_print_without_idle_arguments() -> None:
    spec = parse("stage(64, heads={2|8})[{C|M}*2]")
    assert sorted(write(m).splitlines()[4] for m in space.members(spec)) == [
        "stage(64) [C C]",
        "stage(64) [C M(heads=2)]",
        "stage(64) [C M(heads=8)]",
        "stage(64) [M(heads=2) C]",
        "stage(64) [M(heads=8) C]",
        "stage(64, heads=2) [M M]",
        "stage(64, heads=8) [M M]",
    ]


@pytest.mark.parametrize("name", [n for n, path in resources.shipped_specs().items() if "{" in path.read_text()])
def test_members_of_shipped_spaces_are_files(name: str) -> None:
    spec = parse(resources.shipped_specs()[name].read_text())
    for member in space.sample(spec, 10, seed=3):
        assert space.check(parse(write(member))).hash == member.hash


def test_members_keep_lets_training_and_data() -> None:
    text = """
        let L = msa(window=4, heads={1|2})
        let S = conv(16, k=1)
        input 3x16x16
        stem S norm
        stage(32) [L S L(heads=8)]
        head norm(ln) drop(0.2) gap linear
        data "my file.npz"
        train(lr={1e-3..1e-2 log}, epochs=3, flip=false)
    """
    spec = parse(text)
    member = space.draw(spec, random.Random(1))
    assert member is not None
    lines = write(member, ["found by a test"]).splitlines()
    assert lines[0] == "# found by a test"
    assert "let L = msa(window=4)" in lines
    assert "let S = conv(k=1)" in lines or "let S = conv(width=16, k=1)" in lines
    assert 'data "my file.npz"' in lines
    again = parse("\n".join(lines))
    assert again.data == "my file.npz"
    assert again.train == {"lr": member.train["lr"], "epochs": 3, "flip": False}
    assert 1e-3 <= float(member.train["lr"]) <= 1e-2  # type: ignore[arg-type]
    assert not again.has_holes()
    assert "train" not in write(member, train=False)


def test_a_let_that_takes_the_name_of_a_block_prints_without_harm() -> None:
    member = space.check(parse("let basic = msa let X = C stage[basic X]"))
    assert space.check(parse(write(member))).hash == member.hash


def test_drawing_is_seeded() -> None:
    spec = parse("stage[{C|M}*20]")
    one, same, other = ([m.hash for m in space.sample(spec, 5, seed=seed)] for seed in (0, 0, 1))
    assert one == same != other
    assert len(set(one)) == 5


def test_a_sample_holds_every_network_once_and_stops_when_there_are_no_more() -> None:
    spec = parse("stage(64, heads={2|4})[{C|M}*2] require count(C) >= 1")
    everyone = {m.hash for m in space.members(spec)}
    assert len(everyone) == 5
    assert {m.hash for m in space.sample(spec, 100, seed=0)} == everyone
    big = parse("stage[{C|M}*20] require count(M) <= 1")
    with at_most(calls=3_000_000):
        assert len(space.sample(big, 30, seed=0)) <= 21


def misfits(spec: ir.Spec) -> Iterator[Misfit]:
    return (found for found in space.fillings(spec) if isinstance(found, Misfit))


def test_fillings_that_do_not_fit_together_are_told_apart() -> None:
    spec = parse("stage(64)[M(window={4|7})]")
    assert [misfit.diagnostic.message for misfit in misfits(spec)] == ["window 7 does not divide the 32x32 feature map"]
