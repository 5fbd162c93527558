"""What the site has beyond its Markdown: colours for the language, and parts that are made from the code itself.

A line `% generated: NAME` in a page is replaced by Markdown that cannot drift from what it describes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arch_site.commands import commands
from arch_site.gallery import draw_all, gallery
from arch_site.lexers import ArchLexer, LarkLexer

ROOT = Path(__file__).parents[2]


def editors() -> str:
    """How editors are set up, as their folder says it below its title; its links lead from here."""
    page = ROOT / "editors/README.md"
    text = page.read_text(encoding="utf-8").partition("\n")[2] if page.exists() else ""
    return re.sub(r"\]\((?!\w+:|#)", "](../editors/", text)


GENERATED: dict[str, Callable[[], str]] = {"commands": commands, "editors": editors, "gallery": gallery}
# Where a repository shows a file, the site shows a page.
PAGES = {"](../grammars/prelude.arch)": "](prelude.md)", "](../grammars/arch.lark)": "](grammar.md)"}


def setup(app: Any) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_lexer("arch", ArchLexer)
    app.add_lexer("lark", LarkLexer)
    app.connect("builder-inited", draw_all)
    app.connect("source-read", expand)
    return {"parallel_read_safe": True}


def expand(app: Any, page: str, source: list[str]) -> None:
    """Put what is generated into a page that asks for it."""
    for name, make in GENERATED.items():
        if (line := f"% generated: {name}\n") in source[0]:
            source[0] = source[0].replace(line, make())
    for link, target in PAGES.items():
        source[0] = source[0].replace(link, target)
