"""What the documents say is true: every command runs, every example compiles, every message and table is the real one."""

from __future__ import annotations

import glob
import importlib.util
import itertools
import os
import re
import shlex
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from commands import Command, run_here  # noqa: F401
from pydantic.fields import FieldInfo
from rough_analyses import rough_analyses_here_and_in_workers  # noqa: F401

import archdsl
from archdsl import space
from archdsl.base import resources
from archdsl.base.errors import SpecError
from archdsl.blocks import Block
from archdsl.blocks.structures import STRUCTURES
from archdsl.ir.arguments import show
from archdsl.ir.recipe import Recipe
from archdsl.ir.scores import SCORES
from archdsl.language import parse, prelude
from archdsl.language.brackets import MAX_CHARACTERS, MAX_NESTING, MAX_WORD
from archdsl.language.formatting import format_text
from archdsl.language.state import MAX_BLOCKS
from archdsl.language.statements import STATEMENTS
from archdsl.language.values import MAX_DEPTH, MAX_OPTIONS

ROOT = Path(__file__).parent.parent
LANGUAGE = ROOT / "docs/language.md"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


def fences(page: Path, kind: str) -> list[tuple[str, str]]:
    """The fenced texts of a kind: (what stands behind the kind, the text)."""
    return re.findall(rf"^```{kind}\b *([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


EXAMPLES = [(info, text) for info, text in fences(LANGUAGE, "arch") if not {"wrong", "prelude"} & set(info.split())]
MISTAKES = re.findall(
    r"^```arch wrong\n(.*?)^```\n\n```text\n(.*?)^```$", LANGUAGE.read_text(encoding="utf-8"), re.M | re.S
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_of_the_language_page(number: int):
    """Each compiles, and what stands behind its fence holds: `size=24`, or `same` as the example before."""
    info, text = EXAMPLES[number]
    spec = parse(text)
    found = {"params": space.check(spec, text).params}
    if any(f"{name}=" in info for name in ("size", "feasible", "networks")):
        extent = space.extent(spec)
        found |= {"size": extent.size, "feasible": extent.feasible, "networks": extent.networks}
    for word in info.split():
        if word == "same":
            assert archdsl.hash(text) == archdsl.hash(EXAMPLES[number - 1][1])
        else:
            name, _, value = word.partition("=")
            assert found[name] == int(value), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_in_canonical_form(page: Path):
    for info, text in fences(page, "arch"):
        if not {"wrong", "prelude"} & set(info.split()):
            assert format_text(text, page.name) == text


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_messages_of_the_language_page_are_the_real_ones(number: int):
    text, message = MISTAKES[number]
    with pytest.raises(SpecError) as caught:
        space.check(parse(text, "broken.arch"), text, "broken.arch")
    assert f"{caught.value}\n" == message


def test_every_mistake_of_the_language_page_has_a_message():
    assert len(MISTAKES) == sum(info == "wrong" for info, _ in fences(LANGUAGE, "arch")) >= 4


def test_what_the_language_page_quotes_from_the_prelude_stands_there():
    text = (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8")
    assert [quoted in text for info, quoted in fences(LANGUAGE, "arch") if info == "prelude"] == [True]


def test_the_example_of_the_readme():
    text = re.search(r"^```\n(stem.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert text is not None
    assert space.extent(parse(text.group(1))).networks == 8
    assert fences(ROOT / "docs/index.md", "arch") == [("", text.group(1))]
    (block,) = re.findall(r"`(block [^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert space.check(parse(f"{block} stage(64)[ghost M]")).depth == 2


def test_the_error_of_the_readme_is_the_real_one():
    with pytest.raises(SpecError) as caught:
        parse("\n\n\nstage(128)[C C MM]", "broken.arch")
    shown = "".join(f"    {line}\n" for line in str(caught.value).splitlines())
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")
    assert fences(ROOT / "docs/index.md", "text") == [("", f"{caught.value}\n")]


def table(*head: str) -> list[list[str]]:
    """The rows of the table of the language page with this head."""
    page = LANGUAGE.read_text(encoding="utf-8")
    found = page.partition(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in found.splitlines()]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def signature(name: str, block: type[Block]) -> str:
    """A block as the tables write it: `conv(width, k=3)`."""
    fields = block.model_fields.items()
    written = [field if info.is_required() else f"{field}={show(info.default)}" for field, info in fields]
    return f"{name}({', '.join(written)})" if written else name


@pytest.mark.parametrize("composite", [False, True])
def test_every_block_stands_in_its_table_with_its_arguments_and_defaults(composite: bool):
    found = table("block", "what it is") if composite else table("block", "what it is", "without a name")
    real = {signature(n, b): b for n, b in prelude.blocks().items() if (n in prelude.names()) is composite}
    assert sorted(codes(row[0])[0] for row in found) == sorted(real)
    for row in found:
        (written,) = codes(row[0])
        positional = list(real[written].model_fields) if composite else codes(row[2])
        assert positional == list(real[written].positional), written


def test_every_argument_stands_in_its_table_with_what_it_takes():
    says = {name: row[1] for row in table("argument", "takes", "meaning") for name in codes(row[0])}
    real: dict[str, set[str]] = {}
    for block in (*prelude.blocks().values(), *STRUCTURES.values()):
        for name, info in block.model_fields.items():
            real.setdefault(name, set()).update(_words(info.annotation))
    assert sorted(says) == sorted(real)
    for name, words in real.items():
        cell = re.sub(r"of `\w+`", "", says[name])
        told = set(codes(cell)) | {word for word in ("integer", "number", "name") if re.search(rf"\b{word}\b", cell)}
        # Whoever takes any number takes integers, too.
        assert told | ({"integer"} if "number" in told else set()) == words | (
            {"integer"} if "number" in words else set()
        ), name


def _words(annotation: object) -> set[str]:
    """What a type is called in the table of arguments."""
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return set(parts)
    if parts:
        return set().union(*map(_words, parts))
    return {str: {"name"}, int: {"integer"}, float: {"number"}, bool: {"true", "false"}, type(None): {"none"}}[
        annotation
    ]


def test_the_other_tables_of_the_language_page():
    statements = [
        code.split()[0].partition("(")[0] for row in table("statement", "meaning", "unsaid") for code in codes(row[0])
    ]
    assert statements == list(STATEMENTS)
    (residual, *others) = table("structure", "what it does", "arguments")
    fields = STRUCTURES["residual"].model_fields
    assert codes(residual[2])[0].split() == [f"{name}={show(info.default)}" for name, info in fields.items()]
    assert {codes(row[0])[0].partition("[")[0] for row in (residual, *others)} == set(STRUCTURES) - {"sequence"}
    training = table("argument", "default", "range", "meaning")
    assert [(codes(row[0])[0], codes(row[1])[0]) for row in training] == [
        (name, show(info.default)) for name, info in Recipe.model_fields.items()
    ]
    assert {name: _range(info) for name, info in Recipe.model_fields.items()} == {
        codes(row[0])[0]: row[2].replace("`", "") for row in training
    }


def _range(info: FieldInfo) -> str:
    """The bounds of a training argument as the table writes them."""
    if typing.get_origin(info.annotation) is typing.Literal:
        return ", ".join(typing.get_args(info.annotation))
    bound = {
        name: f"{getattr(m, name):,}" for m in info.metadata for name in ("ge", "gt", "le", "lt") if hasattr(m, name)
    }
    match bound:
        case {"ge": low, "le": high}:
            return f"{low} to {high}"
        case {"gt": low, "le": high}:
            return f"above {low}, to {high}"
        case {"ge": low, "lt": high}:
            return f"{low} to below {high}"
        case {"ge": low}:
            return f"from {low}"
    return ""


def test_the_limits_of_the_language_page():
    limits = LANGUAGE.read_text(encoding="utf-8").partition("\n### Limits\n")[2].partition("\n## ")[0]
    assert MAX_NESTING == MAX_DEPTH
    for limit in (MAX_CHARACTERS, MAX_WORD, MAX_BLOCKS, MAX_NESTING, MAX_OPTIONS):
        assert f" {limit:,}" in limits


def test_the_letters_of_the_language_page():
    page = LANGUAGE.read_text(encoding="utf-8")
    for name, letter in prelude.letters().items():
        says = ", ".join(f"{n}={show(v)}" for n, v in letter.arguments.items())
        assert f"`{name}` is `{letter.kind}({says})`".replace("()", "") in page


def test_every_score_is_documented():
    page = (ROOT / "docs/scores.md").read_text(encoding="utf-8")
    assert [name for name in SCORES if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path):
    missing = [name for name in ("sphinx", "myst_parser", "furo") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; pip install -e '.[docs]' brings them")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "state")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    for name in resources.shipped_specs():
        assert (tmp_path / "site/_images" / f"{name}.svg").stat().st_size > 0
        assert f'id="{name.replace("_", "-")}"' in (tmp_path / "site/gallery.html").read_text(encoding="utf-8")
    commands = (tmp_path / "site/commands.html").read_text(encoding="utf-8")
    for command in ("check", "search", "report"):
        assert f'id="{command}"' in commands


def test_colours_of_the_site_follow_the_grammar(monkeypatch: pytest.MonkeyPatch):
    """Every character keeps its place, keywords are keywords, and names of arguments are not."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from arch_site.lexers import ArchLexer
    from pygments.token import Error, Keyword, Name

    for _, text in EXAMPLES:
        tokens = list(ArchLexer().get_tokens_unprocessed(text))
        assert "".join(piece for _, _, piece in tokens) == text
        assert not [piece for _, kind, piece in tokens if kind is Error]
    told = {
        p: k for _, k, p in ArchLexer().get_tokens_unprocessed("block b(k=3) = conv(k=k) stage(64, heads={2|4})[b]")
    }
    assert (told["stage"], told["heads"], told["b"], told["{"]) == (Keyword, Name.Attribute, Name, Keyword.Type)


@pytest.mark.slow
@pytest.mark.usefixtures("rough_analyses")
@pytest.mark.parametrize(
    ("page", "least", "written"),
    [
        ("tour", 9, ("found/best.arch", "found/report.html", "analysis/scores.json", "analysis/hessian.svg")),
        (
            "analyses",
            9,
            (
                "analysis/analysis.html",
                "curvature/hessian_blocks.svg",
                "curvature/hessian_density.svg",
                "followed/along.svg",
                "comparison/comparison.html",
                "checkpoints/comparison.json",
            ),
        ),
    ],
)
def test_every_command_of_a_page_runs(
    page: str, least: int, written: tuple[str, ...], tmp_path: Path, archdsl: Command, monkeypatch: pytest.MonkeyPatch
):
    source = ROOT / f"docs/{page}.md"
    for name, text in fences(source, "arch"):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    on_one_core(monkeypatch)
    pieces = re.findall(r"^```(sh|python)\n(.*?)^```$", source.read_text(encoding="utf-8"), re.M | re.S)
    assert len(pieces) >= least
    for kind, text in pieces:
        if kind == "python":
            exec(compile(text, page, "exec"), {"__name__": "__main__"})
        else:
            carry_out(text, archdsl)
    for name in written:
        assert (tmp_path / name).stat().st_size > 0, name


def on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search trains in this process, which has imported what it takes."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def carry_out(text: str, archdsl: Command) -> str:
    """What lines of a shell print, here; a line is done by a shell where it is more than one of our commands.

    Each is one line of a page. A process of its own takes most of its time to import PyTorch, so this one does it.
    """
    out = ""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "archdsl" and not re.search(r"[|&;<>$`(]", line):
            places = [sorted(glob.glob(word)) if "*" in word else [word] for word in words[1:]]
            done = archdsl(*itertools.chain.from_iterable(places))
            assert done.code == 0, f"{line}\n{done.err}"
            out += done.out
        else:
            environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
            shell = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, env=environment)
            assert shell.returncode == 0, f"{line}\n{shell.stderr}"
            out += shell.stdout
    return out


@pytest.mark.slow
@pytest.mark.usefixtures("rough_analyses")
def test_the_search_of_the_report_page_runs(tmp_path: Path, archdsl: Command, monkeypatch: pytest.MonkeyPatch):
    """Its other commands need programs of their own; `tests/test_tracking.py` and `test_snapshot.py` run those."""
    (_, text), *others = fences(ROOT / "docs/report.md", "sh")
    assert [other.startswith("pip install 'archdsl[") for _, other in others] == [True, True]
    monkeypatch.chdir(tmp_path)
    on_one_core(monkeypatch)
    assert carry_out(text, archdsl).splitlines()[-1] == "found/report.html"
    page = (tmp_path / "found/report.html").read_text(encoding="utf-8")
    for title in re.findall(r"^\| ([A-Z]\w+) \|", (ROOT / "docs/report.md").read_text(encoding="utf-8"), re.M):
        assert f">{title}</a>" in page, title
