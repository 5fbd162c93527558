"""What the documents say is true: every command runs, every example compiles, every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archdsl import space
from archdsl.blocks import BLOCKS
from archdsl.language import parse, prelude
from archdsl.scores import SCORES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


def fences(page: Path, kind: str) -> list[tuple[str, str]]:
    """The fenced texts of a kind: (what stands behind the kind, the text)."""
    return re.findall(rf"^```{kind}\b *([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("number", range(len(fences(ROOT / "docs/language.md", "arch"))))
def test_examples_of_the_language_page(number: int):
    _, text = fences(ROOT / "docs/language.md", "arch")[number]
    assert space.check(parse(text)).params > 0


def test_the_example_of_the_readme():
    text = re.search(r"^```\n(stem.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert text is not None
    assert space.extent(parse(text.group(1))).networks == 8


def test_the_error_of_the_readme_is_the_real_one():
    from archdsl.errors import SpecError

    with pytest.raises(SpecError) as caught:
        parse("\n\n\nstage(128)[C C MM]", "broken.arch")
    shown = "".join(f"    {line}\n" for line in str(caught.value).splitlines())
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_block_and_score_is_documented():
    page = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    assert [name for name in prelude.blocks() if f"`{name}`" not in page] == []
    page = (ROOT / "docs/scores.md").read_text(encoding="utf-8")
    assert [name for name in SCORES if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_every_command_of_the_tour_runs(tmp_path: Path):
    page = ROOT / "docs/tour.md"
    for name, text in fences(page, "arch"):
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    pieces = re.findall(r"^```(sh|python)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    assert len(pieces) >= 9
    for kind, text in pieces:
        program = ["bash", "-euc", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=600)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    for name in ("found/best.arch", "found/report.html", "analysis/scores.json", "analysis/hessian.svg"):
        assert (tmp_path / name).stat().st_size > 0, name


def test_the_block_of_the_contributing_page_works():
    """`add a block` as one whole file: it registers, its numbers are those of its module, and it leaves again."""
    import torch

    from archdsl.model import compile

    (_, text) = fences(ROOT / "CONTRIBUTING.md", "python")[0]
    try:
        exec(text, {"__name__": "archdsl.blocks.squeeze"})
        model = compile("stage(16)[C squeeze(reduction=2)]")
        assert sum(p.numel() for p in model.parameters()) == model.architecture.params
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    finally:
        BLOCKS._entries.pop("squeeze", None)
