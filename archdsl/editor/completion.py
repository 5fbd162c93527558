"""Completes what could be written at the cursor, from the words before it alone: the text may be broken anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from archdsl.editor import hover, known, meanings
from archdsl.editor.known import Argument, BlockInfo
from archdsl.editor.names import Names
from archdsl.editor.positions import Stretch
from archdsl.editor.scanner import Scan, Token
from archdsl.editor.surroundings import Context, current, parameter, positional, written
from archdsl.ir.measures import MEASURES, measure_names
from archdsl.ir.scores import SCORES
from archdsl.language.statements import STATEMENTS
from archdsl.language.values import VARIABLES

Sort: TypeAlias = Literal["keyword", "block", "let", "structure", "argument", "value", "score", "measure", "data"]
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_DATA = re.compile(r"\bdata[ \t]+(\S*)\Z")


@dataclass(frozen=True)
class Candidate:
    """One completion.

    Attributes:
        detail: a few words beside it; help: Markdown, in full.
        insert: what is written; `$0` marks where the cursor goes.
    """

    label: str
    sort: Sort
    detail: str = ""
    help: str = ""
    insert: str = ""


def complete(text: str, offset: int, names: Names) -> tuple[list[Candidate], Stretch]:
    """The candidates at an offset, and the part of a word they replace."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    if data := _DATA.search(line):
        start = offset - len(data.group(1))
        return list(_data()), Stretch(start, offset)
    word = _WORD.search(text, text.rfind("\n", 0, offset) + 1, offset)
    start = word.start() if word else offset
    before = Scan(text[:start])
    if any(comment.start < start and "\n" not in text[comment.start : start] for comment in before.comments):
        return [], Stretch(start, offset)
    last = before.tokens[-1] if before.tokens else None
    # A word that touches a number continues it; a string is open or holds no words.
    if last is not None and last.end == start and (last.kind == "number" or last.text.startswith('"')):
        return [], Stretch(start, offset)
    found = _candidates(Context(before, names, text[text.rfind("\n", 0, start) + 1 : start]))
    return list({candidate.label: candidate for candidate in found}.values()), Stretch(start, offset)


def _candidates(here: Context) -> Iterator[Candidate]:
    frames = here.before.frames
    mode = here.before.mode
    if frames and frames[-1].call is not None:
        yield from _in_call(here, frames[-1].call)
    elif mode in ("items", "either"):
        if not frames and not here.line.strip():  # at the start of a line a statement is likelier
            yield from _statements()
        yield from _blocks(here)
        if mode == "either":
            yield from _values(here, None)
        if not frames:
            yield from _statements()
    elif mode == "value" and (frames or here.last is None or here.last.role != "keyword"):
        yield from _step(here)
        yield from _values(here, Argument("times") if here.last is not None and here.last.text == "*" else None)
    elif mode == "condition":
        yield from _condition(here)
    elif mode == "name":
        if here.last is not None and here.last.text in ("maximize", "minimize"):
            yield from _scores(here.last.text)
    elif not frames and (here.last is None or here.last.role != "keyword"):
        yield from _statements()
    if not frames and not here.line.strip() and mode not in ("items", "either", "none"):
        yield from _statements()


# ---- statements, scores, conditions --------------------------------------------------------------------------


def _statements() -> Iterator[Candidate]:
    for name, kind in STATEMENTS.items():
        yield Candidate(name, "keyword", kind.form, kind.meaning, kind.insert or f"{name} $0")


def _scores(goal: str) -> Iterator[Candidate]:
    # Those for which the goal makes sense come first; the others are allowed.
    for name, score in sorted(SCORES.items(), key=lambda entry: entry[1].direction != goal):
        yield Candidate(name, "score", score.unit, score.what)


def _data() -> Iterator[Candidate]:
    for name, what in meanings.DATA_SETS.items():
        yield Candidate(name, "data", what)


def _condition(here: Context) -> Iterator[Candidate]:
    last = here.last
    if last is not None and (last.kind == "number" or last.text == ")" or last.role in ("measure", "value")):
        for word in ("and", "or"):
            yield Candidate(word, "keyword", meanings.WORDS[word])
        if not here.before.frames:
            yield from _statements()
        return
    for name in (*measure_names(of_block=False), *measure_names(of_block=True)):
        measure = MEASURES[name]
        yield Candidate(name, "measure", measure.what, insert=f"{name}($0)" if measure.of_block else "")
    yield Candidate("not", "keyword", meanings.WORDS["not"])
    yield from _lets(here)


# ---- blocks --------------------------------------------------------------------------------------------------


def _blocks(here: Context) -> Iterator[Candidate]:
    in_block = here.statement >= 0 and here.before.statements[-1].keyword.text == "block"
    own = here.before.statements[-1].name if in_block else None
    for info in here.names.blocks():
        if own is None or info.name != own.text:
            yield _block(info)
    if in_block:
        yield Candidate("if", "keyword", "if k > 1 (norm)", meanings.WORDS["if"], "if $0 ()")
        yield Candidate("else", "keyword", "else (…)", meanings.WORDS["else"], "else ($0)")


def _block(info: BlockInfo) -> Candidate:
    structure = info.origin == "structure"
    sort: Sort = "structure" if structure else "let" if info.origin in ("file", "letter") else "block"
    required = [a for a in info.arguments if a.default is None and a.name not in ("width", "stride")]
    insert = f"{info.name}[$0]" if structure else f"{info.name}($0)" if required else ""
    return Candidate(info.name, sort, info.signature, hover.block_text(info), insert)


# ---- arguments and values ------------------------------------------------------------------------------------


def _in_call(here: Context, call: Token) -> Iterator[Candidate]:
    frame, last = here.before.frames[-1], here.last
    if last is None:
        return
    if frame.mode == "parameters":
        if last.text in ("=", "{", "|"):
            yield from _words(known.words_by_name(parameter(here)))
    elif frame.mode in ("arguments", "measure") and last.text in ("(", ","):
        given = written(here, call)
        if frame.mode == "measure" and not given:
            yield from (_block(info) for info in here.names.blocks() if info.origin != "structure")
            return
        takes, said = here.names.takes(call), {name for name, _ in given if name}
        unnamed = sum(name is None for name, _ in given)
        places = positional(here, call)
        for argument in takes:
            if argument.name not in said and argument.name not in places[:unnamed]:
                yield _argument(argument)
        if unnamed < len(places) and not said:
            yield from _values(here, next((a for a in takes if a.name == places[unnamed]), None))
    elif last.text in ("=", "{", "|", "+", "-", "*", "/", "//", "..", "("):
        yield from _values(here, current(here, call))
    else:
        yield from _step(here)


def _argument(argument: Argument) -> Candidate:
    detail = f"= {argument.default}" if argument.default is not None else argument.takes
    return Candidate(argument.name, "argument", detail, hover.argument_text(argument), f"{argument.name}=$0")


def _values(here: Context, argument: Argument | None) -> Iterator[Candidate]:
    yield from _words(("true", "false", "none") if argument is None else argument.words, argument)
    yield from _lets(here)
    for name in here.names.parameters.get(here.statement, {}):
        yield Candidate(name, "value", "parameter")
    keyword = here.before.statements[-1].keyword.text if here.before.statements else ""
    if (argument is None or not argument.words) and keyword not in ("train", "require"):
        for name in VARIABLES if keyword == "block" else ("width",):
            yield Candidate(name, "value", "", meanings.WORDS[name])


def _words(words: Iterable[str], argument: Argument | None = None) -> Iterator[Candidate]:
    for word in words:
        default = argument is not None and word == argument.default
        yield Candidate(word, "value", "default" if default else "", meanings.WORDS.get(word, ""))


def _lets(here: Context) -> Iterator[Candidate]:
    for definition in here.names.values():
        if definition.statement != here.statement:
            yield Candidate(definition.name, "let", here.names.line(definition))


def _step(here: Context) -> Iterator[Candidate]:
    """`step` and `log` after the upper end of a range."""
    tokens = here.before.tokens
    if len(tokens) > 1 and tokens[-1].kind in ("number", "name") and tokens[-2].text == "..":
        for word in ("step", "log"):
            yield Candidate(word, "keyword", "", meanings.WORDS[word])
