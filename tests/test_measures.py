"""A measure is one entry of a registry: what is entered nowhere else works everywhere."""

from __future__ import annotations

import pytest

from archdsl import ir, space
from archdsl.base.errors import ArchdslError, SpecError
from archdsl.editor.analysis import Analysis
from archdsl.editor.completion import complete
from archdsl.editor.hover import hover
from archdsl.ir.conditions import value_of
from archdsl.ir.measures import MEASURES, Measure, measure_names
from archdsl.language import parse
from archdsl.network import Architecture


@pytest.fixture
def activations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two measures of a stranger: numbers that flow out of all blocks, and MACs of blocks of a name."""
    len(MEASURES)  # load what there is
    monkeypatch.setattr(MEASURES, "_entries", dict(MEASURES._entries))
    MEASURES.register("activations")(
        Measure("Numbers that flow out of all blocks.", lambda b, *_: b.cost.out.channels * b.cost.out.height)
    )
    MEASURES.register("macs_of")(
        Measure("MACs of blocks.", lambda b, name, stage: b.cost.macs * (name in b.names), of_block=True)
    )


def test_the_shipped_measures_in_order() -> None:
    assert measure_names(of_block=False) == ("params", "macs", "depth", "latency_ms")
    assert measure_names(of_block=True) == ("count",)


@pytest.mark.usefixtures("activations")
def test_a_new_measure_is_parsed_checked_counted_and_drawn() -> None:
    text = "stage(16)[{C|M|conv(32)}*3]"
    plain = parse(text)

    def required(most: int) -> ir.Spec:
        return parse(f"{text} require activations <= {most} and macs_of(M, stage=1) > 0")

    activations, of_m = ir.MeasureSpec(measure="activations"), ir.MeasureSpec(measure="macs_of", block="M", stage=1)
    everyone = [found for found in space.fillings(plain) if isinstance(found, Architecture)]
    values = sorted({value_of(activations, member) for member in everyone})
    bound = values[len(values) // 2]
    spec = required(bound)
    expected = [m for m in everyone if value_of(activations, m) <= bound and value_of(of_m, m) > 0]
    assert 0 < len(expected) < len(everyone)
    assert space.extent(spec).feasible == len(expected)
    assert {m.hash for m in space.members(spec)} == {m.hash for m in expected}
    assert space.check(spec).hash in {m.hash for m in expected}
    with pytest.raises(SpecError, match="no member") as caught:
        space.check(required(1))
    assert f"here activations goes from {min(values):,} to {max(values):,}" in str(caught.value.diagnostics[0].help)
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.usefixtures("activations")
def test_a_new_measure_is_known_to_messages_and_the_editor() -> None:
    for wrong, help in [
        ("activation <= 1", "did you mean 'activations'?"),
        ("qqq <= 1", "known are: params, macs, depth, latency_ms, activations, count(NAME), macs_of(NAME)"),
        ("macs_of() <= 1", "for example: macs_of(M) >= 1"),
        ("activations(M) <= 1", "'activations' is of the whole network and stands without parentheses"),
    ]:
        with pytest.raises(SpecError) as caught:
            parse(f"stage[C] require {wrong}")
        assert caught.value.diagnostics[0].help == help
    analysis = Analysis("stage[C] require activations <= 1")
    offered = {c.label: c for c in complete("stage[C] require ", len("stage[C] require "), analysis.names)[0]}
    assert offered["activations"].detail == "Numbers that flow out of all blocks."
    assert offered["macs_of"].insert == "macs_of($0)"
    said = hover(analysis, analysis.text.index("activations") + 2)
    assert said is not None
    assert "Numbers that flow out of all blocks." in said[0]
    assert "Here: " in said[0]


def test_what_nobody_entered_is_an_error_not_a_count() -> None:
    with pytest.raises(ArchdslError, match="unknown measure 'heads'"):
        ir.MeasureSpec(measure="heads")
