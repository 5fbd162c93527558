"""The gallery: every shipped spec, its text, its figures and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archdsl import ir, space
from archdsl.base import resources
from archdsl.drawing import draw_file
from archdsl.language import parse
from archdsl.network import resolve_model

FOLDER = "_images"


def gallery() -> str:
    """Markdown: a section for every spec; the first line of a file says what it is."""
    return "\n".join(_section(name, path.read_text(encoding="utf-8")) for name, path in _specs().items())


def draw_all(app: Any) -> None:
    """The pictures, straight into the site: every spec, and the example of the first page."""
    if app.builder.format == "html":
        folder = Path(app.outdir) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in _specs().items():
            draw_file(parse(path.read_text(encoding="utf-8")), folder / f"{name}.svg")
        front = (Path(app.srcdir) / "index.md").read_text(encoding="utf-8")
        draw_file(parse(front.partition("```arch\n")[2].partition("```")[0]), folder / "example.svg")


def _specs() -> dict[str, Path]:
    """Spaces first, then models, each in alphabetical order."""
    found = resources.shipped_specs()
    return dict(sorted(found.items(), key=lambda item: ir.first_hole(parse(item[1].read_text())) is None))


def _section(name: str, text: str) -> str:
    what = text.partition("\n")[0].lstrip("# ").rstrip(".")
    return (
        f"## {name}\n\n{what}. {_figures(parse(text))}\n\n```arch\n{text}```\n\n"
        f'<img class="drawing" src="{FOLDER}/{name}.svg" alt="The stages and blocks of {name}">\n'
    )


def _figures(spec: ir.Spec) -> str:
    if ir.first_hole(spec) is not None:
        extent = space.extent(spec)
        return f"{extent.size:,} fillings, {extent.networks:,} networks."
    architecture = resolve_model(spec)
    return f"{architecture.params:,} parameters, {architecture.macs:,} MACs."
