"""Describes the thing under the cursor, in Markdown."""

from __future__ import annotations

from archdsl import ir
from archdsl.editor import figures, meanings
from archdsl.editor.analysis import Analysis
from archdsl.editor.known import Argument, BlockInfo
from archdsl.editor.names import Definition
from archdsl.editor.positions import Stretch
from archdsl.editor.scanner import Token
from archdsl.ir.measures import MEASURES
from archdsl.ir.scores import SCORES
from archdsl.ir.wording import option_labels
from archdsl.language.statements import STATEMENTS
from archdsl.space import options

SHOWN = 12  # options of a hole


def hover(analysis: Analysis, offset: int) -> tuple[str, Stretch] | None:
    """Markdown about the thing at an offset and what it covers; None where there is nothing to say."""
    token = token_at(analysis, offset, pointed=True)
    if token is None:
        first = analysis.text.find("\n")
        if analysis.text.startswith("#") and (first < 0 or offset <= first):
            return figures.whole(analysis), Stretch(0, len(analysis.text) if first < 0 else first)
        return None
    text = _word(analysis, token) if token.kind == "name" else _hole(analysis, token)
    return (text, token.stretch) if text else None


def token_at(analysis: Analysis, offset: int, pointed: bool = False) -> Token | None:
    """The token at an offset; where two touch, the word, as a cursor means it, or the one behind, as a mouse does."""
    near = [token for token in analysis.scan.tokens if token.start <= offset <= token.end]
    behind = [token for token in near if offset < token.end]
    words = [token for token in near if token.kind == "name"]
    return next(iter(behind if pointed and behind else words or behind), None)


def _word(analysis: Analysis, token: Token) -> str | None:
    names = analysis.names
    match token.role:
        case "keyword":
            return _keyword(analysis, token)
        case "model":
            return figures.whole(analysis)
        case "score" if token.text in SCORES:
            score = SCORES[token.text]
            better = {"maximize": "higher is better", "minimize": "lower is better", None: "neither way is better"}
            return f"**{token.text}** ({score.unit}): {score.what}.\n\nFrom {score.source}; {better[score.direction]}."
        case "measure":
            return _measure(analysis, token)
        case "data":
            known = next(
                (k for k in meanings.DATA_SETS if token.text == k or (k[-1] == ":" and token.text.startswith(k))), ""
            )
            return f"**{known}** {meanings.DATA_SETS[known]}" if known else None
        case "argument":
            return _argument(analysis, token)
        case "word":
            return f"**{token.text}** {meanings.WORDS[token.text]}"
    definition = names.definition(token)
    if definition is not None and definition.kind == "parameter":
        return _parameter(analysis, definition)
    if (info := names.block(token.text)) is not None and token.role in ("block", "counted", "let", "definition"):
        return block_text(info, names.line(definition) if definition and definition.kind == "let" else "")
    if definition is not None:
        return _let(analysis, definition)
    return f"**{token.text}** {meanings.WORDS[token.text]}" if token.text in meanings.WORDS else None


def _keyword(analysis: Analysis, token: Token) -> str:
    kind = STATEMENTS[token.text]
    text = f"```arch\n{kind.form}\n```\n{kind.meaning}"
    if token.text == "model":
        return f"{text}\n\n{figures.whole(analysis)}"
    if token.text == "stage":
        statements = analysis.scan.statements[: token.statement + 1]
        number = sum(statement.keyword.text == "stage" for statement in statements)
        facts = figures.stage(analysis, number)
        return f"**Stage {number}**{f': {facts}' if facts else ''}\n\n{text}"
    return text


def _measure(analysis: Analysis, token: Token) -> str | None:
    if token.text not in MEASURES:
        return None
    text = f"**{token.text}** {MEASURES[token.text].what}"
    here = figures.measure(analysis, token.text)
    return f"{text}\n\n{here}" if here else text


def argument_text(argument: Argument) -> str:
    """One argument on one line."""
    takes = f" ({argument.takes})" if argument.takes else ""
    return f"`{argument.label}`{takes}{f': {argument.meaning}' if argument.meaning else ''}"


def block_text(info: BlockInfo, line: str = "") -> str:
    """A block with its arguments and its source."""
    parts = [f"```arch\n{info.signature}\n```"]
    if info.summary:
        parts.append(info.summary.rstrip(".") + ".")
    if line:
        parts.append(f"```arch\n{line}\n```")
    if info.arguments:
        parts.append("\n".join(f"- {argument_text(argument)}" for argument in info.arguments))
    if info.source:
        parts.append(f"```arch\n{info.source}\n```")
    return "\n\n".join(parts)


def _argument(analysis: Analysis, token: Token) -> str | None:
    if token.call is None:
        return None
    found = next((a for a in analysis.names.takes(token.call) if a.name == token.text), None)
    return argument_text(found) if found else None


def _parameter(analysis: Analysis, definition: Definition) -> str:
    statement = analysis.scan.statements[definition.statement]
    block = statement.name.text if statement.name else ""
    info = analysis.names.block(block)
    argument = info.argument(definition.name) if info else None
    return f"Parameter of `{block}`: {argument_text(argument or Argument(definition.name))}"


def _let(analysis: Analysis, definition: Definition) -> str:
    text = f"```arch\n{analysis.names.line(definition)}\n```"
    stretch = analysis.scan.statements[definition.statement].stretch
    inside = [hole for hole in _holes(analysis) if hole.at and analysis.lines.stretch(hole.at).start in range(*stretch)]
    shared = {hole.name: options(hole) for hole in inside}
    if shared:
        text += f"\n\n{' and '.join(f'{n} ways' for n in shared.values())}, decided once and shared wherever it stands."
    return text


# ---- holes ---------------------------------------------------------------------------------------------------


def _holes(analysis: Analysis) -> list[ir.AnyHole]:
    return list(ir.holes(analysis.spec)) if analysis.spec else []


def _hole(analysis: Analysis, token: Token) -> str | None:
    """The hole whose brace or bar a sign is."""
    if token.text not in ("{", "}", "|", ".."):
        return None
    around: list[tuple[int, int, ir.AnyHole]] = []
    for hole in _holes(analysis):
        if hole.at is not None:
            start, end = analysis.lines.stretch(hole.at)
            if start <= token.start < end:
                around.append((end - start, start, hole))
    if not around:
        return None
    size, place, _ = min(around, key=lambda entry: entry[0])
    here = [hole for length, start, hole in around if (length, start) == (size, place)]
    text = hole_text(here[0])
    if len(here) > 1:
        text += f"\n\n{len(here)} decisions, one at each of: {', '.join(f'`{hole.name}`' for hole in here[:SHOWN])}"
        return text + (", …" if len(here) > SHOWN else "")
    return f"{text}\n\nDecided as `{here[0].name}`"


def hole_text(hole: ir.AnyHole) -> str:
    """How many ways there are to decide a hole, and which."""
    match hole:
        case ir.FloatRange():
            return f"Any number from {hole.low:g} to {hole.high:g}, drawn evenly in its logarithm"
        case ir.IntRange():
            words = [str(hole.low + i * hole.step) for i in range(min(hole.count(), SHOWN))]
        case _:
            words = list(option_labels(hole)[:SHOWN])
    listed = " | ".join(f"`{word}`" if word != "-" else "nothing" for word in words)
    return f"{options(hole):,} ways: {listed}{' | …' if options(hole) > len(words) else ''}"
