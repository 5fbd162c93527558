"""Commands that look at specs and need no PyTorch: `check`, `show`, `space`."""

from __future__ import annotations

import itertools
import sys
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.base.errors import ArchdslError, Diagnostic, SpecError, UsageError
from archdsl.base.numbers import options
from archdsl.cli.app import File, Json, Seed, app, print_json

if TYPE_CHECKING:
    from archdsl.language.sources import Source
    from archdsl.space import Extent

LISTED = 1_000  # members printed by --list before a reader has enough
READABLE = 10**15  # figures from here on are rounded, and written out beside that


@app.command(epilog="Example:  archdsl check specs/*.arch")
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Paths, shipped names, or -.")],
    json: Json = False,
) -> None:
    """Show all errors of all files: syntax, names, types, shapes, requirements. Nothing is built."""
    from archdsl import space
    from archdsl.ir.conditions import open_measures, reader, truth
    from archdsl.language.sources import read_file

    documents = []
    for name in files:
        errors: list[dict[str, Any]] = []
        undecided: list[str] = []
        try:
            source = read_file(name)
            spec = source.spec()
            architecture = space.check(spec, source.text, source.path)
        except SpecError as error:
            errors = error_documents(error)
            sys.stderr.write(f"{error}\n\n")
        except ArchdslError as error:
            errors = [_error_document(Diagnostic(error.message, None, error.help))]
            sys.stderr.write(f"error: {error}\n\n")
        else:
            undecided = list(open_measures(c for c in spec.require if truth(c, reader(architecture)) is None))
            if not json:
                size = space.size(spec)
                what = (
                    f"a space of {size:,}"
                    if size > 1
                    else f"{architecture.params:,} parameters, {architecture.macs:,} MACs"
                )
                left = f"; not decided: {', '.join(undecided)}, which only measuring tells" if undecided else ""
                print(f"{name}: ok, {what}{left}")
        documents.append(
            {"path": name, "ok": not errors, "errors": errors} | ({"undecided": undecided} if undecided else {})
        )
    if json:
        print_json({"files": documents})
    if not all(document["ok"] for document in documents):
        raise typer.Exit(1)


def error_documents(error: SpecError) -> list[dict[str, Any]]:
    """The mistakes of a file as data."""
    return [_error_document(diagnostic) for diagnostic in error.diagnostics]


def _error_document(diagnostic: Diagnostic) -> dict[str, Any]:
    place = {name: getattr(diagnostic.span, name, None) for name in ("line", "column", "end_line", "end_column")}
    return {**place, "message": diagnostic.message, "help": diagnostic.help}


class Stage(StrEnum):
    """What `show` can print."""

    tree = "tree"
    ir = "ir"
    space = "space"
    module = "module"


@app.command(epilog="Example:  archdsl show alternet_50 --emit module")
def show(
    file: File,
    emit: Annotated[Stage, typer.Option("--emit", help="Which stage to show.")] = Stage.ir,
    json: Json = False,
) -> None:
    """Show a file at any stage on its way: parse tree, IR (as JSON), space of decisions, PyTorch module."""
    from archdsl.language import parse_tree
    from archdsl.language.sources import read_file

    source = read_file(file)
    if emit is Stage.tree:
        text = parse_tree(source.text, source.path)
        print_json({"tree": text}) if json else print(text)
    elif emit is Stage.ir:
        print(source.spec().model_dump_json(indent=1))
    elif emit is Stage.space:
        _print_space(source, list_members=False, sample=0, seed=0, as_json=json)
    else:
        from archdsl.network import resolve_model
        from archdsl.network.model import build

        text = str(build(resolve_model(source.spec(), source.text, source.path)))
        print_json({"module": text}) if json else print(text)


@app.command(epilog="Example:  archdsl space placement --sample 3")
def space(
    file: File,
    list_members: Annotated[
        bool, typer.Option("--list", help=f"Print members (the first {LISTED:,}) as .arch text.")
    ] = False,
    sample: Annotated[int, typer.Option("--sample", metavar="N", min=0, help="Draw N different members.")] = 0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Count a space: fillings, feasible ones, different networks; list its decisions; draw or list members."""
    from archdsl.language.sources import read_file

    if list_members and sample:
        raise UsageError("--list and --sample exclude each other", "leave one out")
    _print_space(read_file(file), list_members, sample, seed, json)


def _print_space(source: Source, list_members: bool, sample: int, seed: int, as_json: bool) -> None:
    from archdsl import space
    from archdsl.interchange.arch_text import write
    from archdsl.ir.conditions import open_measures

    spec = source.spec()
    space.check(spec, source.text, source.path)
    extent, decisions = space.extent(spec), space.decisions(spec)
    members = []
    if list_members:
        members = [write(m) for m in itertools.islice(space.members(spec), LISTED)]
    elif sample:
        members = [write(m) for m in space.sample(spec, sample, seed)]
        if len(members) < sample:
            sys.stderr.write(f"only {len(members)} different members were found\n")
    document: dict[str, Any] = {
        **{name: getattr(extent, name) for name in ("size", "feasible", "networks")},
        "decisions": [{"name": d.name, "choices": list(d.choices)} for d in decisions],
        "members": members,
    }
    for name in ("feasible", "networks"):
        if document[name] is None:
            interval = getattr(extent, f"{name}_interval")
            document[f"{name}_estimate"] = getattr(extent, f"{name}_estimate")
            document[f"{name}_interval"] = interval and list(interval)
    if not_counted := open_measures(spec.require):
        document["not_counted"] = list(not_counted)
    if as_json:
        print_json(document)
        return
    print(_extent_text(extent))
    if not_counted and extent.size > 1:
        print(f"not counting what {', '.join(not_counted)} excludes, which only measuring tells")
    width = max((len(d.name) for d in decisions), default=0)
    for decision in decisions:
        choices = options(decision.choices, ends=decision.is_real)
        print(f"  {decision.name:<{width}}  {choices}")
    for number, member in enumerate(members, start=1):
        print(f"\n# member {number}\n{member}", end="")


def _extent_text(extent: Extent) -> str:
    if extent.size == 1:
        return "a model: nothing is left to decide"
    figures = {"fillings": extent.size, "feasible": extent.feasible, "different networks": extent.networks}
    said = [f"{_rounded(number)} {what}" for what, number in figures.items() if number is not None]
    if extent.feasible is None:
        said.append(_estimate_text("feasible", extent.feasible_estimate, extent.feasible_interval))
    if extent.networks is None:
        said.append(_estimate_text("different networks", extent.networks_estimate, extent.networks_interval))
    text = ", ".join(filter(None, said))
    if extent.draws is not None:
        text += f" (95% intervals, from {extent.draws:,} draws)"
    exact = [f"{number:,} {what}" for what, number in figures.items() if number is not None and number >= READABLE]
    return f"{text}\nexactly {', '.join(exact)}" if exact and extent.size < 10**60 else text


def _estimate_text(what: str, estimate: int | None, interval: tuple[int, int] | None) -> str:
    if estimate is None or interval is None:
        return ""
    figures = (_rounded(round(number, 3 - len(str(number)))) for number in (estimate, *interval))  # to three digits
    return "about {} {what} ({} to {})".format(*figures, what=what)


def _rounded(number: int) -> str:
    """A number in full as long as that is readable; a float could not hold the largest spaces."""
    return f"{number:,}" if number < READABLE else f"{Decimal(number):.3e}".replace("e+", "e")
