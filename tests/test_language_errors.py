"""Mistakes in `.arch` texts: which are reported, where they are said to be, and how they are shown."""

from __future__ import annotations

import pytest

from archdsl import space
from archdsl.base.errors import ArchdslError, Diagnostic, SpecError, did_you_mean, render
from archdsl.language import parse


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """The mistakes of a text."""
    with pytest.raises(SpecError) as caught:
        space.check(parse(text), text)
    return caught.value.diagnostics


def test_independent_mistakes_are_reported_together_and_in_order() -> None:
    found = diagnostics("input 32x32\nclasses 0\nstage(64)[C MM M(heads=0)]\nmaximize acc\nlet Z = nonsense(1)\n")
    lines = [d.span.line for d in found if d.span]
    assert lines == sorted(lines) == [1, 2, 3, 3, 4, 5]


def test_a_mistake_in_a_let_is_reported_once_where_it_is_written() -> None:
    (found,) = diagnostics("let P = C MM\nstage[P P P]")
    assert (found.span.line, found.span.column) == (1, 11)  # type: ignore[union-attr]


def test_places_count_characters_also_behind_tabs_and_other_scripts() -> None:
    (found,) = diagnostics("# größer als ∞\n\t stage[\tMM ]")
    assert (found.span.line, found.span.column) == (2, 10)  # type: ignore[union-attr]


def test_only_line_feeds_end_lines() -> None:
    text = "# a\x0c b\u2028 c\x85 d\r\nstage[MM]"
    with pytest.raises(SpecError) as caught:
        parse(text, "x.arch")
    assert str(caught.value).splitlines()[:3] == ["x.arch:2:7: error: unknown block 'MM'", "  |", "2 | stage[MM]"]


def test_rendering_shortens_long_lines_around_the_mistake() -> None:
    text = "stage[" + "C " * 500 + "MM" + " C" * 500 + "]"
    with pytest.raises(SpecError) as caught:
        parse(text)
    shown, marks = str(caught.value).splitlines()[2:4]
    assert len(shown) < 200
    assert shown[marks.index("^") : marks.rindex("^") + 1] == "MM"


def test_rendering_without_a_place() -> None:
    assert (
        render(Diagnostic("it is wrong", None, "mend it"), "", "a.arch")
        == "a.arch: error: it is wrong\n  = help: mend it"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("MM", "M"), ("c", "C"), ("bottelneck", "bottleneck"), ("headz", "heads"), ("zzz", None)],
)
def test_did_you_mean(name: str, meant: str | None) -> None:
    expected = None if meant is None else f"did you mean '{meant}'?"
    assert did_you_mean(name, ["C", "M", "bottleneck", "heads"]) == expected


def test_messages_do_not_depend_on_what_was_parsed_before() -> None:
    for _ in range(2):
        (found,) = diagnostics("stage(64)[M(heads=true)]")
        assert found.message == "'heads' takes an integer, not true"
        parse("stage(64)[M(heads=1)]")
        parse("stage(64)[msa(rel_pos=true)]")


def test_errors_are_of_one_family() -> None:
    assert issubclass(SpecError, ArchdslError)
    with pytest.raises(ArchdslError):
        parse("")
