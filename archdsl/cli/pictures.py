"""Commands that show specs to the eye: `draw` a picture, `diff` two of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.base.errors import UsageError
from archdsl.cli.app import File, Json, app, print_json


@app.command(epilog="Example:  archdsl draw placement --out placement.svg")
def draw(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="Where to: .svg, .png or .pdf. Default: NAME.svg in this folder."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Draw a network or a space: stages, blocks by kind, resolution and width, holes as alternatives."""
    from archdsl import space
    from archdsl.base.pictures import require_format
    from archdsl.drawing import draw_file
    from archdsl.language.sources import read_file

    if out is not None:
        require_format(out)  # a wrong name is found before the file is read
    source = read_file(file)
    spec = source.spec()
    space.check(spec, source.text, source.path)
    path = draw_file(spec, Path(f"{spec.name}.svg") if out is None else out)
    print_json({"picture": str(path)}) if json else print(path)


@app.command(epilog="Example:  archdsl diff preresnet_18 alternet_18")
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Path, shipped name, or - for standard input.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same; what A is compared with.")],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where they differ, as git does.")] = False,
    json: Json = False,
) -> None:
    """Compare two networks or spaces by what they compute: parts, blocks, arguments, cost; names do not count.

    Exits with 0 whether or not they differ, unless --exit-code is given.
    """
    from archdsl import space
    from archdsl.cli.differences import print_difference
    from archdsl.language.sources import read_file
    from archdsl.space.comparison import compare

    if before == after == "-":
        raise UsageError("both files are standard input", "give one of them as a path")
    specs = []
    for name in (before, after):
        source = read_file(name)
        specs.append(source.spec())
        space.check(specs[-1], source.text, source.path)
    found = compare(*specs)
    if json:
        print_json(found.table())
    else:
        print_difference(found)
    if exit_code and not found.same:
        raise typer.Exit(1)
