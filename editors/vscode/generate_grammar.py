"""Writes `syntaxes/arch.tmLanguage.json`, the colours of `.arch` files, from the terminals of `grammars/arch.lark`.

    python editors/vscode/generate_grammar.py

A test compares the file with what comes out here, so that the two cannot drift apart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archdsl.editor.terminals import patterns, words
from archdsl.ir.measures import measure_names
from archdsl.language.statements import STATEMENTS
from archdsl.language.values import VARIABLES

FILE = Path(__file__).parent / "syntaxes" / "arch.tmLanguage.json"
TERMINALS = patterns()
NAME = TERMINALS["NAME"]
# A word of the language ends where a name would; before '=' it is an argument's name, as in count(M, stage=1).
BEGINS = rf"(?<![A-Za-z0-9_-])(?:{'|'.join(STATEMENTS)})\b(?!\s*=(?!=))"

# Words inside of statements; every terminal of the grammar that is a word is either here or a statement.
WORDS = {
    "keyword.control.conditional.arch": ("if", "else"),
    "keyword.operator.word.arch": ("step", "log"),
    "keyword.operator.logical.arch": ("and", "or", "not"),
}
NUMBERS = {
    "SHAPE": "constant.numeric.shape.arch",
    "SIZE": "constant.numeric.size.arch",
    "FLOAT": "constant.numeric.float.arch",
    "INT": "constant.numeric.integer.arch",
}


def scoped(match: str, *scopes: str) -> dict[str, Any]:
    """A pattern and the scopes of its groups; of all of it when there is one scope and no group."""
    if len(scopes) == 1:
        return {"match": match, "name": scopes[0]}
    return {"match": match, "captures": captures(*scopes)}


def captures(*scopes: str) -> dict[str, Any]:
    """Scopes by the number of their group."""
    return {str(number): {"name": scope} for number, scope in enumerate(scopes, start=1)}


def between(begin: str, end: str, opening: tuple[str, ...], *inside: str) -> dict[str, Any]:
    """What stands between brackets; where one was forgotten, it ends before the line of the next statement."""
    return {
        "begin": begin,
        "end": rf"{end}|(?=^[ \t]*{BEGINS})",
        "beginCaptures": captures(*opening),
        "endCaptures": {"0": {"name": "punctuation.arch"}},
        "patterns": include(*inside),
    }


def include(*names: str) -> list[dict[str, str]]:
    """Parts of the grammar by their names."""
    return [{"include": f"#{name}"} for name in names]


def statements() -> list[dict[str, Any]]:
    """Statements with a name or arguments of their own, and last the bare keyword."""
    keyword, defined = "keyword.control.statement.arch", "entity.name.function.arch"
    rest = set(STATEMENTS) - {"require"}
    goals = "|".join(sorted(set(words()) & {"maximize", "minimize"}))
    data = rf"{TERMINALS['STRING']}|{TERMINALS['DATA_NAME']}"
    return [
        scoped(rf"\b(model)[ \t]+({NAME})", keyword, "entity.name.section.arch"),
        scoped(rf"\b({goals})[ \t]+({NAME})", keyword, "support.constant.score.arch"),
        scoped(rf"\b(data)[ \t]+({data})", keyword, "string.unquoted.arch"),
        scoped(rf"\b(let)\s+({NAME})\s*(=)", keyword, "entity.name.type.let.arch", "keyword.operator.assignment.arch"),
        between(rf"\b(block)\s+({NAME})\s*(\()", r"\)", (keyword, defined, "punctuation.arch"), "parameters"),
        scoped(rf"\b(block)\s+({NAME})", keyword, defined),
        between(r"\b(stage|defaults|train)\b\s*(\()", r"\)", (keyword, "punctuation.arch"), "arguments"),
        {
            "begin": r"\b(require)\b(?!\s*=(?!=))",
            "end": rf"(?={BEGINS})",
            "beginCaptures": captures(keyword),
            "patterns": include("condition"),
        },
        scoped(rf"\b({'|'.join(sorted(rest))})\b(?!\s*=(?!=))", keyword),
    ]  # fmt: skip


def grammar() -> dict[str, Any]:
    """The whole grammar."""
    argument = scoped(rf"({NAME})\s*(=)(?!=)", "variable.parameter.arch", "keyword.operator.assignment.arch")
    call = between(
        rf"({NAME})({TERMINALS['OPEN_CALL']})",
        r"\)",
        ("entity.name.function.block.arch", "punctuation.arch"),
        "arguments",
    )
    measure = between(
        rf"({NAME})({TERMINALS['OPEN_CALL']})",
        r"\)",
        ("support.function.measure.arch", "punctuation.arch"),
        "arguments",
    )
    test = {
        "begin": r"\b(if)\b",
        "end": r"(?<=[A-Za-z0-9_)])(?=\s*\()",
        "beginCaptures": captures("keyword.control.conditional.arch"),
        "patterns": [between(r"(\()", r"\)", ("punctuation.arch",), "value"), *include("value")],
    }
    repository: dict[str, list[dict[str, Any]]] = {
        "comment": [scoped(TERMINALS["COMMENT"], "comment.line.number-sign.arch")],
        "statement": statements(),
        "items": [
            *include("comment"), test, *include("word"), call,
            between(r"(\[)", r"\]", ("punctuation.arch",), "items"),
            between(r"(\()", r"\)", ("punctuation.arch",), "items"),
            between(r"(\{)", r"\}", ("punctuation.hole.arch",), "items"),
            scoped(rf"(\*)\s*({NAME})", "keyword.operator.arithmetic.arch", "variable.other.arch"),
            *include("number", "operator"),
            scoped(NAME, "entity.name.type.block.arch"),
        ],
        "arguments": [argument, *include("value")],
        "parameters": [
            argument,
            scoped(rf"(?<=[(,])\s*({NAME})(?=\s*[,)])", "variable.parameter.arch"),
            *include("value"),
        ],
        "value": [
            *include("comment", "word", "constant", "number", "operator"),
            between(r"(\{)", r"\}", ("punctuation.hole.arch",), "value"),
            between(r"(\()", r"\)", ("punctuation.arch",), "value"),
            scoped(NAME, "variable.other.arch"),
        ],
        "condition": [
            *include("comment", "word"), measure,
            scoped(rf"\b(?:{'|'.join(measure_names(of_block=False))})\b", "support.function.measure.arch"),
            *include("number", "operator"),
            between(r"(\()", r"\)", ("punctuation.arch",), "condition"),
            scoped(NAME, "variable.other.arch"),
        ],
        "word": [scoped(rf"\b(?:{'|'.join(found)})\b", scope) for scope, found in WORDS.items()],
        "constant": [
            scoped(r"\b(?:true|false|none)\b", "constant.language.arch"),
            scoped(rf"\b(?:{'|'.join(VARIABLES)})\b", "variable.language.arch"),
        ],
        "number": [scoped(TERMINALS[name], scope) for name, scope in NUMBERS.items()],
        "operator": [
            scoped(TERMINALS["COMPARE"], "keyword.operator.comparison.arch"),
            scoped(r"\.\.", "keyword.operator.range.arch"),
            scoped(rf"{TERMINALS['SIGN']}|\*|{TERMINALS['SLASH']}", "keyword.operator.arithmetic.arch"),
            scoped(r"\|", "keyword.operator.choice.arch"),
            scoped("=", "keyword.operator.assignment.arch"),
            scoped(",", "punctuation.separator.arch"),
        ],
    }  # fmt: skip
    return {
        "information_for_contributors": ["Written by generate_grammar.py from grammars/arch.lark; do not edit."],
        "name": "arch",
        "scopeName": "source.arch",
        "fileTypes": ["arch"],
        "patterns": include("comment", "statement", "items"),
        "repository": {name: {"patterns": found} for name, found in repository.items()},
    }


def text() -> str:
    """The file."""
    return json.dumps(grammar(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
