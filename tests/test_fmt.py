"""`archdsl fmt`: the style by examples; any text keeps its words, comments and meaning; files, exit codes, differences."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import arch_texts
import pytest
from hypothesis import HealthCheck, example, given, settings

from archdsl import resources
from archdsl.cli.main import run
from archdsl.errors import Span, SpecError
from archdsl.identity import spec_hash
from archdsl.language import parse
from archdsl.language.formatting import format_text
from archdsl.language.parser import parse_syntax

FIXTURES = Path(__file__).parent / "fixtures"
SHIPPED = [*resources.shipped_specs().values(), resources.folder("grammars") / "prelude.arch"]
FILES = [*SHIPPED, *sorted(FIXTURES.glob("*/*.arch"))]

thoroughly = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


# ---- style -----------------------------------------------------------------------------------------------------------

LINES = {
    # one statement a line, spaces within it
    "model  a  input 1x8x8 classes\n2*5": "model a\ninput 1x8x8\nclasses 2*5",
    "stage [C  M]": "stage[C M]",
    "stage ( 64 , heads = 2 ,) [C M ( C ) * 2{C | M|}]": "stage(64, heads=2) [C M (C)*2 {C|M|}]",
    "stage[C() M*(2+1)C*{ 1 .. 3 }]": "stage[C() M*(2+1) C*{1..3}]",
    "let  B={ |C M }let H = {2 | 4}": "let B = {|C M}\nlet H = {2|4}",
    "let W = 2 * width // 4 - - 1": "let W = 2*width//4--1",
    "defaults( act = gelu )": "defaults(act=gelu)",
    "train (lr={1e-4 .. 1e-2   log}, n={1..9 step  2},)": "train(lr={1e-4..1e-2 log}, n={1..9 step 2})",
    "require params<=2.0M": "require params <= 2.0M",
    "require not(count( M )-1>=-2*3 or(depth)!=4)and macs / 2<1": (
        "require not (count(M) - 1 >= -2*3 or (depth) != 4) and macs/2 < 1"
    ),
    "data npz:a.npz data  \"a  b\"": 'data npz:a.npz\ndata "a  b"',
    "head": "head",
    "block  f(k = 3,width,)=residual(after = 2) [ norm ]": "block f(k=3, width) = residual(after=2)[norm]",
    "block f ( k )=if k>1(norm)else(act)sum [ C (C M) ]": "block f(k) = if k > 1 (norm) else (act) sum[C (C M)]",
    "stem if a == (b) ( )": "stem if a == (b) ()",
    # comments
    "#a\n#!b\n##c\n#\n#- d  \nstage[C]#e": "# a\n#!b\n##c\n#\n#- d\nstage[C]  # e",
    "stage[C]# a\r\n\r\n\r\n\r\n# b": "stage[C]  # a\n\n# b",
    "model # a\n m # b\nmaximize x": "model m  # a\n# b\n\nmaximize x",
    "let W = 2 # a\n*3": "let W = 2*3  # a",
    "let B = # a\nC": "let B =  # a\n  C",
    "stem conv # a\n# b\n norm # c": "stem conv  # a\n  # b\n  norm  # c",
    "stage(64) # a\n[C]": "stage(64) [  # a\n  C\n]",
    "stage(64, # a\nheads=2 # b\n,\n# c\n) [C]": "stage(\n  64,      # a\n  heads=2  # b\n  # c\n) [C]",
    "stage[C\n# a\n# b\n\nM*# c\n2]": "stage[\n  C\n  # a\n  # b\n  M*2  # c\n]",
    "stage[{C # a\n|# b\n|# c\nM}*2]": "stage[\n  {\n    C  # a\n    |  # b\n    |  # c\n      M\n  }*2\n]",
    "require a < 1 # a\nand # b\n c > 2 # c": "require a < 1  # a\n  and c > 2    # b\n# c\n",
    "stem if a == # a\nb (C # b\n) else (# c\n)": "stem if a == b (  # a\n  C               # b\n) else (          # c\n)",
    # blank lines
    "\n\nmodel a\n\n\n\nclasses 2\n# a\n\n# b\nstage[\n\nC]\n\n": "model a\n\nclasses 2\n# a\n\n# b\nstage[C]",
    # columns
    "stage(8)[C] stage(16, heads=2)[M]": "stage(8)           [C]\nstage(16, heads=2) [M]",
    "stage[C] stage(8)[M]": "stage    [C]\nstage(8) [M]",
    "stage(8)[C]\n\nstage(100)[M]": "stage(8) [C]\n\nstage(100) [M]",
    "stage(8)[C]\n# a\nstage(100)[M]": "stage(8)   [C]\n# a\nstage(100) [M]",
    "stage(8)[C] stage(16, stride=1, down=conv, heads=2)[M]": (
        "stage(8) [C]\nstage(16, stride=1, down=conv, heads=2) [M]"
    ),
    "model a # a\nclasses 10 # b\ninput 1x1x1\nhead # c": "model a     # a\nclasses 10  # b\ninput 1x1x1\nhead  # c",
}  # fmt: skip


@pytest.mark.parametrize("text", LINES)
def test_lines(text: str) -> None:
    formatted = format_text(text)
    assert formatted == LINES[text].rstrip("\n") + "\n"
    assert format_text(formatted) == formatted


def block_of(*words: str) -> str:
    return "block f = residual[" + " ".join(words) + "]"


def test_what_fits_in_100_columns_stands_on_one_line() -> None:
    text = "stage(64, heads=4) [" + " ".join(["norm"] * 15)
    assert format_text(f"{text} 12345]".replace("12345", "abcd")) == f"{text} abcd]\n"
    assert format_text("stage[\nC\nC\n]") == "stage[C C]\n"
    assert max(map(len, format_text("stage[" + "C " * 500 + "]").splitlines())) == 99
    assert format_text("head " + "norm(kind=ln) " * 10) == (
        "head" + " norm(kind=ln)" * 6 + "\n " + " norm(kind=ln)" * 4 + "\n"
    )


def test_brackets_break_from_outside_in() -> None:
    body = "conv(width//2, k=3, stride=stride, groups=8, bias=true)"
    text = f"block f(width, stride) = if k > 1 (residual[norm act {body} norm act {body}]*2 C) else (C)"
    assert format_text(text) == (
        "block f(width, stride) =\n"
        "  if k > 1 (\n"
        "    residual[\n"
        f"      norm act {body} norm act\n"
        f"      {body}\n"
        "    ]*2\n"
        "    C\n"
        "  ) else (\n"
        "    C\n"
        "  )\n"
    )


def test_a_sequence_that_does_not_fit_keeps_the_line_ends_of_its_author() -> None:
    words = [
        "conv(64, k=3, stride=2)",
        "norm",
        "act",
        "conv(128, k=3, stride=2)",
        "norm",
        "act",
        "conv(64, bias=true, k=1)",
    ]
    joined = "\n    ".join([" ".join(words[:3]), " ".join(words[3:6]), words[6]])
    expected = f"block f =\n  residual[\n    {joined}\n  ]\n"
    assert format_text(f"block f = residual[ {joined} ]") == expected
    assert format_text("stage[\n\nC C\n\n\nM]") == "stage[C C M]\n"


def test_arguments_continue_below_the_first_one() -> None:
    arguments = ", ".join(f"argument_{i}={i}" for i in range(8))
    lines = format_text(f"train({arguments})").splitlines()
    assert [line[:7] for line in lines] == ["train(a", "      a"]
    assert all(len(line) <= 100 for line in lines)
    deep = format_text(f"let B = a_block_with_a_long_name_that_leaves_little_room({arguments})").splitlines()
    assert [len(line) - len(line.lstrip()) for line in deep] == [0, 2, 6]


def test_a_long_requirement_breaks_before_and_or() -> None:
    text = "require params <= 2M and macs <= 150M and (count(M) >= 1 or count(C, stage=2) + count(T)*2 <= 300000) and depth > 2"
    assert format_text(text) == (
        "require params <= 2M and macs <= 150M\n"
        "  and (count(M) >= 1 or count(C, stage=2) + count(T)*2 <= 300000) and depth > 2\n"
    )


def test_alternatives_stand_one_a_line() -> None:
    long = "norm act conv(64, k=3, groups=4) norm"
    assert format_text(f"let B = {{{long} | {long} | | {long}}}") == (
        f"let B =\n  {{\n    {long}\n    | {long}\n    |\n    | {long}\n  }}\n"
    )


def test_the_byte_order_mark_and_form_feeds_go() -> None:
    assert format_text("\ufeffstage[C]\f\n\f\nhead") == "stage[C]\n\nhead\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_are_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.stem == "prelude":  # which is wider
        assert re.sub(r"\s+", "", format_text(text)) == re.sub(r"\s+", "", text)
    else:
        assert format_text(text) == text


# ---- what never changes -------------------------------------------------------------------------------------------------


def bare(part: Any) -> Any:
    """A syntax tree without its places."""
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = (getattr(part, field.name) for field in dataclasses.fields(part))
        return (type(part).__name__, *(bare(value) for value in fields if not isinstance(value, Span)))
    return tuple(bare(value) for value in part) if isinstance(part, (tuple, list)) else part


def comments(text: str) -> list[str]:
    """The comments of a text, apart from the spaces around them."""
    words = arch_texts.split(text)
    ends = [0, *(word.end_pos or 0 for word in words)]
    starts = [*(word.start_pos or 0 for word in words), len(text)]
    gaps = (text[end:start] for end, start in zip(ends, starts, strict=True))
    return [re.sub(r"^#\s*", "#", found.rstrip()) for gap in gaps for found in re.findall(r"#[^\n]*", gap)]


def words(text: str) -> list[str]:
    """The words of a text, but for commas at the end of arguments."""
    found = [str(word) for word in arch_texts.split(text)]
    return [word for word, after in zip(found, [*found[1:], ""], strict=False) if (word, after) != (",", ")")]


def check_form(text: str) -> str:
    """What holds for every text that follows the grammar."""
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert words(formatted) == words(text)
    assert comments(formatted) == comments(text)
    lines = formatted.split("\n")
    assert lines.pop() == ""
    assert lines[:1] != [""]
    assert lines[-1:] != [""]
    assert all(line == line.rstrip(" \t\r") and "\t" not in line.partition("#")[0] for line in lines)
    assert "\n\n\n" not in formatted
    return formatted


def meaning(text: str) -> Any:
    """The IR of a text with its JSON and its hash, or the mistakes in it; what comments say is left out."""
    try:
        spec = parse(text)
    except SpecError as error:
        return sorted(re.sub(r"line \d+|column \d+", "", d.message) for d in error.diagnostics)
    blocks = {name: block.model_copy(update={"summary": ""}) for name, block in spec.blocks.items()}
    spec = spec.model_copy(update={"blocks": blocks})
    return spec, spec.model_dump_json(), spec_hash(spec)


@given(arch_texts.texts())
@thoroughly
def test_any_text_keeps_its_words_and_comments(text: str) -> None:
    assert bare(parse_syntax(check_form(text))) == bare(parse_syntax(text))


@given(arch_texts.specs())
@thoroughly
def test_any_spec_keeps_its_meaning(text: str) -> None:
    assert meaning(check_form(text)) == meaning(text)


@given(arch_texts.plain_specs())
@example("stage[C]")
@thoroughly
def test_what_has_no_comments_has_one_form(text: str) -> None:
    """Spacing leaves no trace, except line ends in sequences too long for a line."""
    text = text.replace('"npz:my data.npz"', "fashion")
    assert format_text(re.sub(r" +", "  ", text).replace("\n", "\r\n\t")) == format_text(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_files_keep_their_meaning(path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig")
    try:
        parse_syntax(text, "a.arch")
    except SpecError as error:
        if any(part in str(error) for part in ("digits", "the largest is", "a word of", "more than 64 deep")):
            return  # limits of those who look closer
        with pytest.raises(SpecError) as caught:
            format_text(text, "a.arch")
        assert str(caught.value) == str(error)
    else:
        assert meaning(check_form(text)) == meaning(text)


def test_a_block_keeps_the_comment_that_describes_it() -> None:
    text = "#one\n#  two\n\n# What  it does.\n#And how.\nblock   f=residual[ norm ] stage[f]"
    assert parse(format_text(text)).blocks["f"].summary == parse(text).blocks["f"].summary == "What  it does. And how."


@pytest.mark.parametrize(
    "text",
    [
        "stage[Z(hats=3)]",
        "let C = 99999999999999999999999",
        "stage[C] stage[C] head head norm",
        "# nothing but a comment",
        "train(lr=maybe)",
        "stage[" + "C" + "*1" * 3000 + "]",
        "require params < " + "1 + " * 3000 + "1",
        "stage[" + "(" * 60 + "C # deep\n" + ")" * 60 + "]",
    ],
    ids=lambda text: text[:30],
)
def test_other_mistakes_do_not_matter(text: str) -> None:
    check_form(text) if len(text) < 1000 else format_text(text)


@pytest.mark.parametrize(
    "text", ["", " \n", "stage[C", "stage C]", "stage[C\x00]", "stage[" + "(" * 400 + ")" * 400 + "]"]
)
def test_mistakes_of_syntax_are_those_of_check(text: str) -> None:
    with pytest.raises(SpecError) as ours:
        format_text(text, "a.arch")
    with pytest.raises(SpecError) as theirs:
        parse(text, "a.arch")
    assert str(ours.value) == str(theirs.value)


def test_a_text_does_not_outgrow_the_language() -> None:
    with pytest.raises(SpecError, match="formatted, the file would have 1") as caught:
        format_text("stage[" + "C#\n" * 24_000 + "]")
    assert caught.value.help is None
    assert "a spec has at most 100,000" in str(caught.value)


def test_its_time_grows_with_the_length_of_the_file() -> None:
    line = "stage(64, heads={2|4|8}) [C {C|M}*3 M(heads=2)]  # a comment\n"

    def least(lines: int) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            format_text(line * lines)
            taken.append(time.process_time() - start)
        return min(taken)

    # Eight times the lines: 8 where it is linear, 64 where every line looks at every other.
    assert least(400) < 24 * least(50)


# ---- the command ----------------------------------------------------------------------------------------------------------


class Done(NamedTuple):
    code: int
    out: str
    err: str


Fmt = Callable[..., Done]
UGLY, PRETTY = "stage( 64 )[ C ]\r\n", "stage(64) [C]\n"


@pytest.fixture
def fmt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fmt:
    """Runs `archdsl fmt` in an empty folder, with `stdin` as standard input."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["fmt", *arguments])
        return Done(code, *capsys.readouterr())

    return command


def put(name: str, text: str) -> Path:
    path = Path(name)
    path.write_bytes(text.encode())
    return path


def test_files_are_written_in_place(fmt: Fmt) -> None:
    ugly, pretty = put("ugly.arch", UGLY), put("pretty.arch", PRETTY)
    os.utime(pretty, (1, 1))
    assert fmt("ugly.arch", "pretty.arch") == (0, "", "reformatted ugly.arch\n1 file reformatted, 1 file unchanged\n")
    assert ugly.read_bytes() == PRETTY.encode()
    assert pretty.stat().st_mtime == 1
    assert fmt("ugly.arch", "pretty.arch") == (0, "", "2 files unchanged\n")
    assert sorted(path.name for path in Path().iterdir()) == ["pretty.arch", "ugly.arch"]


def test_check_writes_nothing(fmt: Fmt) -> None:
    ugly = put("ugly.arch", UGLY)
    assert fmt("ugly.arch", "--check") == (1, "", "would reformat ugly.arch\n1 file would be reformatted\n")
    assert ugly.read_bytes() == UGLY.encode()
    put("ugly.arch", PRETTY)
    assert fmt("ugly.arch", "--check") == (0, "", "1 file unchanged\n")


def test_diff_prints_what_would_change(fmt: Fmt) -> None:
    ugly, _ = put("ugly.arch", "model a\nstage( 64 )[ C ]"), put("pretty.arch", PRETTY)
    for arguments, code in ((["--diff"], 0), (["--diff", "--check"], 1)):
        done = fmt("ugly.arch", "pretty.arch", *arguments)
        assert done.code == code
        assert done.out == (
            "--- ugly.arch\n+++ ugly.arch\n@@ -1,2 +1,2 @@\n model a\n"
            "-stage( 64 )[ C ]\n\\ No newline at end of file\n+stage(64) [C]\n"
        )
        assert done.err == "would reformat ugly.arch\n1 file would be reformatted, 1 file unchanged\n"
    assert ugly.read_text() == "model a\nstage( 64 )[ C ]"


def test_a_diff_is_coloured_on_a_terminal_only(fmt: Fmt, monkeypatch: pytest.MonkeyPatch) -> None:
    put("ugly.arch", UGLY)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[32m+stage(64) [C]\x1b[0m\n" in fmt("ugly.arch", "--diff").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in fmt("ugly.arch", "--diff").out


def test_marks_and_line_ends_of_other_systems_are_a_change(fmt: Fmt) -> None:
    for text in ("\ufeff" + PRETTY, PRETTY.replace("\n", "\r\n"), PRETTY.rstrip("\n"), PRETTY + "\n"):
        path = put("a.arch", text)
        assert fmt("a.arch", "--check").code == 1
        assert fmt("a.arch", "--diff").out
        assert fmt("a.arch").code == 0
        assert path.read_bytes() == PRETTY.encode()


def test_standard_input_goes_to_standard_output(fmt: Fmt) -> None:
    assert fmt("-", stdin=UGLY.encode()) == (0, PRETTY, "")
    assert fmt("-", stdin=PRETTY.encode()) == (0, PRETTY, "")
    assert fmt("-", "--check", stdin=UGLY.encode()) == (1, "", "would reformat <stdin>\n1 file would be reformatted\n")
    assert fmt("-", "--diff", stdin=UGLY.encode()).out.startswith("--- <stdin>\n+++ <stdin>\n@@ -1 +1 @@\n-stage( 64 )")
    done = fmt("-", stdin=b"stage[C")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("<stdin>:1:6: error: '[' is never closed")


def test_a_mistake_of_syntax_leaves_the_file_and_the_others_go_on(fmt: Fmt) -> None:
    wrong, ugly = put("wrong.arch", "stage( 8 )[ C"), put("ugly.arch", UGLY)
    done = fmt("wrong.arch", "ugly.arch")
    assert done.code == 1
    assert done.err.startswith("wrong.arch:1:11: error: '[' is never closed\n  |\n1 | stage( 8 )[ C\n")
    assert done.err.endswith("reformatted ugly.arch\n1 file reformatted, 1 file not formatted\n")
    assert wrong.read_text() == "stage( 8 )[ C"
    assert ugly.read_text() == PRETTY


def test_names_that_mean_nothing_do_not_stop_it(fmt: Fmt) -> None:
    path = put("a.arch", "stage[ZZ(hats = 3)]")
    assert fmt("a.arch").code == 0
    assert path.read_text() == "stage[ZZ(hats=3)]\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("absent.arch", "no file 'absent.arch'"),
        (".", "'.' is a folder"),
        ("", "no file ''"),
        ("x" * 5000, "File name too long"),
        (
            "alternet_50",
            "'alternet_50' is a spec that comes with archdsl, not a file of yours\n  = help: name the path",
        ),
        ("placement.arch", "'placement.arch' is a spec that comes with archdsl"),
        (os.devnull, f"'{os.devnull}' is not a regular file"),
        ("binary.arch", "is not a text file"),
    ],
)
def test_bad_files(fmt: Fmt, name: str, expected: str) -> None:
    Path("binary.arch").write_bytes(bytes(range(256)))
    before = {path: path.read_bytes() for path in SHIPPED}
    put("ugly.arch", UGLY)
    for arguments in ([], ["--check"], ["--diff"]):
        done = fmt(name, "ugly.arch", *arguments)
        assert done.code == 1
        assert f"error: {expected}" in done.err or expected in done.err
        assert "1 file not formatted" in done.err
    assert {path: path.read_bytes() for path in SHIPPED} == before


def test_a_file_that_may_not_be_written(fmt: Fmt, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("ugly.arch", UGLY)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as it is for others than root
    assert fmt("ugly.arch") == (
        3,
        "",
        "error: cannot write 'ugly.arch': it is read-only\n  = help: check its permissions\n\n1 file not formatted\n",
    )
    assert path.read_bytes() == UGLY.encode()
    assert fmt("ugly.arch", "--check").code == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="anyone may read anything here")
def test_a_file_that_may_not_be_read(fmt: Fmt) -> None:
    path = put("ugly.arch", UGLY)
    path.chmod(0)
    done = fmt("ugly.arch")
    assert (done.code, done.out) == (1, "")
    assert "cannot be read: Permission denied" in done.err


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_links_and_permissions_stay(fmt: Fmt) -> None:
    path = put("ugly.arch", UGLY)
    path.chmod(0o640)
    Path("link.arch").symlink_to("ugly.arch")
    assert fmt("link.arch").err.startswith("reformatted link.arch\n")
    assert Path("link.arch").is_symlink()
    assert path.read_text() == PRETTY
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_wrong_command_line_is_2(fmt: Fmt) -> None:
    assert fmt().code == fmt("--unheard-of").code == 2


def test_help(fmt: Fmt) -> None:
    assert "Example:  archdsl fmt" in fmt("--help").out


def test_it_does_not_import_pytorch(fmt: Fmt) -> None:
    put("ugly.arch", UGLY)
    code = (
        "import sys; from archdsl.cli.main import run; code = run(['fmt', 'ugly.arch', '--diff']);"
        "slow = {'torch', 'timm', 'optuna', 'matplotlib', 'scipy', 'numpy'} & set(sys.modules);"
        "sys.exit(f'imported: {slow}' if slow else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_hooks_name_commands_that_exist() -> None:
    text = (Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"entry: archdsl (\w+)", text)
    assert entries == ["fmt", "check"]
    assert re.findall(r"id: (\S+)", text) == [f"archdsl-{entry}" for entry in entries]
    assert all(json.loads(f'"{found}"') for found in re.findall(r"files: '\\(\..*)'", text))
