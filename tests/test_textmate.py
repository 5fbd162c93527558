"""The colours of `.arch` files: made from the grammar, and in agreement with what the words of real specs are."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archdsl.editor.scanner import Scan
from archdsl.editor.terminals import patterns, signs, words
from archdsl.language.statements import STATEMENTS

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "editors" / "vscode"
TEXTS = sorted(
    [*(ROOT / "specs").glob("*.arch"), *(ROOT / "tests" / "fixtures" / "valid").glob("*.arch"), ROOT / "grammars" / "prelude.arch"]
)  # fmt: skip

# What a word is -> how its scope begins.
SCOPES = {
    "keyword": ("keyword.control.statement",),
    "word": ("keyword.",),
    "model": ("entity.name.section",),
    "let": ("entity.name.type.let",),
    "definition": ("entity.name.function.arch",),
    "parameter": ("variable.parameter",),
    "argument": ("variable.parameter",),
    "block": ("entity.name.type.block", "entity.name.function.block"),
    "value": ("variable.", "constant.language"),
    "counted": ("variable.other",),
    "measure": ("support.function.measure",),
    "score": ("support.constant.score",),
    "data": ("string.",),
}


def generator() -> Any:
    found = importlib.util.spec_from_file_location("generate_grammar", EXTENSION / "generate_grammar.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def committed() -> dict[str, Any]:
    return json.loads((EXTENSION / "syntaxes" / "arch.tmLanguage.json").read_text(encoding="utf-8"))


def rules(part: Any) -> Iterator[tuple[str, str]]:
    """Every expression of the grammar with a scope it gives."""
    if isinstance(part, list):
        for inner in part:
            yield from rules(inner)
    elif isinstance(part, dict):
        if "match" in part and "name" in part:
            yield part["match"], part["name"]
        for key in ("captures", "beginCaptures"):
            for capture in part.get(key, {}).values():
                yield part.get("match", part.get("begin")), capture["name"]
        for value in part.values():
            yield from rules(value)


def test_the_file_is_what_the_grammar_gives() -> None:
    written = (EXTENSION / "syntaxes" / "arch.tmLanguage.json").read_text(encoding="utf-8")
    assert written == generator().text(), "run: python editors/vscode/generate_grammar.py"


def test_the_words_are_those_of_the_grammar() -> None:
    """A keyword that is added to `arch.lark` has to be a statement or get a colour here."""
    lark = (ROOT / "grammars" / "arch.lark").read_text(encoding="utf-8")
    code = re.sub(r"//.*", "", lark)
    said = set(re.findall(r'"([a-z]+)"', code)) | set(re.search(r"GOAL\.4: /\(([a-z|]+)\)", code)[1].split("|"))
    assert set(words()) == said
    coloured = {word for found in generator().WORDS.values() for word in found}
    assert set(words()) == set(STATEMENTS) | coloured


@pytest.mark.parametrize("word", words())
def test_every_word_has_a_colour(word: str) -> None:
    found = [scope for expression, scope in rules(committed()) if re.search(rf"[(|:]{word}[)|]", expression)]
    assert any(scope.startswith("keyword.") for scope in found), word


@pytest.mark.parametrize("name", sorted(patterns()))
def test_every_terminal_has_a_place(name: str) -> None:
    if not name.startswith("__"):
        assert any(patterns()[name] in expression for expression, _ in rules(committed())), name


def test_every_sign_has_a_place() -> None:
    expressions = "\n".join(expression for expression, _ in rules(committed()))
    inside = json.dumps(committed())
    for sign in signs():
        assert sign in expressions or re.escape(sign) in expressions or json.dumps(re.escape(sign))[1:-1] in inside, (
            sign
        )


def test_the_expressions_are_right() -> None:
    """Those of TextMate are of another kind, but these are all of the kind both have."""
    for expression, _ in rules(committed()):
        re.compile(expression)


def tokenized(texts: list[str]) -> list[list[tuple[int, int, int, list[str]]]]:
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    if not (EXTENSION / "node_modules" / "vscode-textmate").is_dir():
        pytest.skip("the packages of editors/vscode are not here; they come with: npm install")
    done = subprocess.run(
        ["node", str(EXTENSION / "test" / "tokenize.js")], input=json.dumps(texts), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def coloured() -> dict[str, dict[tuple[int, int], str]]:
    """For every text the innermost scope of each place where a token starts."""
    found = {path.stem: path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n") for path in TEXTS}
    return {
        name: {(line, column): scopes[-1] for line, start, end, scopes in tokens for column in range(start, end)}
        for name, tokens in zip(found, tokenized(list(found.values())), strict=True)
    }


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_the_colours_are_those_of_what_words_are(path: Path, coloured: dict[str, Any]) -> None:
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    scan, scopes = Scan(text), coloured[path.stem]
    for token in scan.tokens:
        line = text.count("\n", 0, token.start)
        column = token.start - text.rfind("\n", 0, token.start) - 1
        # A tokenizer of the editor counts UTF-16 code units.
        column = len(text[token.start - column : token.start].encode("utf-16-le")) // 2
        scope = scopes[(line, column)]
        around = f"'{token.text}' in line {line + 1} is {token.role or token.kind} and coloured {scope}"
        if token.kind == "number":
            assert scope.startswith("constant.numeric."), around
        elif token.kind == "name":
            assert scope.startswith(SCOPES[token.role]), around
        else:
            assert scope != "source.arch", around
    for comment in scan.comments:
        line, column = text.count("\n", 0, comment.start), comment.start - text.rfind("\n", 0, comment.start) - 1
        assert scopes[(line, column)].startswith("comment."), text[slice(*comment)]


def test_a_forgotten_bracket_spoils_no_more_than_its_statement() -> None:
    (tokens,) = tokenized(["stage(64, heads={2|4 [C M\nblock g(k=3 = residual[conv\nmaximize accuracy\n"])
    last = [scopes[-1] for line, _, _, scopes in tokens if line == 2]
    assert last[0].startswith("keyword.control.statement")
    assert "support.constant.score.arch" in last


def test_the_extension_names_what_is_there() -> None:
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    contributes = package["contributes"]
    named = [contributes["languages"][0]["configuration"], contributes["grammars"][0]["path"], package["main"]]
    for file in [*named, *(snippets["path"] for snippets in contributes["snippets"])]:
        assert (EXTENSION / file).is_file(), file
    for file in EXTENSION.rglob("*.json"):
        if "node_modules" not in file.parts:
            json.loads(file.read_text(encoding="utf-8"))
    assert contributes["languages"][0]["extensions"] == [".arch"]
    assert committed()["scopeName"] == contributes["grammars"][0]["scopeName"]
    assert not list(EXTENSION.glob("package-lock.json")), "it holds host names"


def test_snippets_are_specs() -> None:
    """With their first suggestions filled in they parse."""
    from archdsl.language.parser import parse_syntax

    snippets = json.loads((EXTENSION / "snippets" / "arch.json").read_text(encoding="utf-8"))
    for name, snippet in snippets.items():
        body = snippet["body"] if isinstance(snippet["body"], str) else "\n".join(snippet["body"])
        text = re.sub(r"\$\{\d+\|([^,|]*)[^}]*\}", r"\1", body)
        text = re.sub(r"\$\{\d+:((?:\\.|[^}\\])*)\}", r"\1", text)
        text = re.sub(r"\$\d+", "64", text.removesuffix("\n$0")).replace("\\}", "}")
        parse_syntax(f"stage[{text}]" if name == "choice" else text)
