"""Writes `python`: the network as one file of source that needs nothing but torch; its modules have the same names."""

from __future__ import annotations

import itertools

from archdsl import ir
from archdsl.base.errors import RunError
from archdsl.base.version import VERSION
from archdsl.interchange.arch_text import write
from archdsl.interchange.export import FORMATS, Format
from archdsl.interchange.export.expressions import WIDTH, Argument, Code, Written, expression, flat, lines
from archdsl.interchange.export.factories import factory, free, is_nested, skeleton
from archdsl.interchange.export.sources import Sources, Unwritable
from archdsl.network import Architecture, PlacedBlock
from archdsl.network.model import Network, initialise

HELP = "any block goes into the others: --export safetensors,pt2,onnx"
LONGEST = 40  # characters of a name that are kept, so that what it begins fits on a line


def content(network: Network) -> bytes:
    """A `.py` file; its class takes the weights of the network by `load_state_dict`.

    Raises:
        RunError: a block builds its module itself, or with more than PyTorch.
    """
    return source(network.architecture).encode()


FORMATS.register("python")(Format(".py", content))


def source(architecture: Architecture) -> str:
    """The source of a network: header, layers, blocks, the class itself."""
    sources = Sources()
    sources.names = {"torch": {"Tensor", "nn"}}
    made = _blocks(architecture, sources)
    layers = [text for name, text in sources.texts.items() if name not in ("sequential", "initialise")]
    reserved = sources.defined()
    title = free(_title(architecture.name), reserved)
    factories, calls = _factories(made, reserved | {title})
    imports = "\n".join(["from __future__ import annotations", "", *sources.header()])
    # Their lines are longer than those of most projects; the marks keep formatters from breaking them anew.
    copied = "\n\n\n".join(["# The layers, as archdsl has them.\n# fmt: off", *layers]) + "\n# fmt: on"
    top = "\n\n".join([_header(architecture, title), imports, *([copied] if layers else [])])
    own = [sources.texts["sequential"], *factories, sources.texts["initialise"], _class(architecture, title, calls)]
    return "\n\n\n".join([top, *own]) + "\n"


def _title(name: str) -> str:
    """The name of a class: my_net becomes MyNet."""
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))[:LONGEST]
    return title if title.isidentifier() else f"Network{title}"


def _blocks(architecture: Architecture, sources: Sources) -> list[tuple[PlacedBlock, Written]]:
    """The blocks and the calls that make them."""
    found = []
    for placed in architecture.blocks():
        try:
            found.append((placed, expression(placed.tree.call(), sources)))
        except Unwritable as error:
            where = f"the block '{placed.label}' at {placed.path}"
            raise RunError(f"{where} cannot be written as python: {error}", HELP) from None
    sources.need("sequential", "archdsl.blocks.layers.sequence")
    sources.need("initialise", initialise.__module__)
    return found


def _factories(blocks: list[tuple[PlacedBlock, Written]], taken: set[str]) -> tuple[list[str], dict[str, Written]]:
    """A function for the blocks of a kind that differ in numbers alone, and how each block is made."""
    groups: dict[tuple[str, object], list[tuple[PlacedBlock, Written]]] = {}
    calls = {placed.path: made for placed, made in blocks}
    for placed, made in blocks:
        if is_nested(made):
            groups.setdefault((placed.kind, skeleton(made)), []).append((placed, made))
    factories = []
    for (kind, _), group in groups.items():
        name = free(f"{kind[:LONGEST]}_block", taken)
        taken = taken | {name}
        function = factory(name, [made for _, made in group])
        factories.append(function.source(group[0][0].path))
        calls |= {placed.path: call for (placed, _), call in zip(group, function.calls, strict=True)}
    return factories, calls


def _class(architecture: Architecture, title: str, calls: dict[str, Written]) -> str:
    parts: dict[str, list[tuple[str, Written]]] = {"stem": []}
    parts |= {f"stage{number}": [] for number in range(1, len(architecture.stages) + 1)}
    parts["head"] = []
    for path, call in calls.items():
        part, _, name = path.partition(".")
        parts[part].append((name, call))
    size = ", ".join(map(str, architecture.input))
    rows = [
        f"class {title}(nn.Module):",
        f'    """Images (B, {size}) to logits (B, {architecture.classes})."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
    ]
    for part, named in parts.items():
        rows += lines(f"self.{part} = ", _in_order(named), indent=8)
    rows += ["        initialise(self)", "", "    def forward_features(self, x: Tensor) -> Tensor:"]
    rows += [f"        x = self.{part}(x)" for part in parts if part != "head"]
    rows += ["        return x", "", "    def forward_head(self, x: Tensor) -> Tensor:", "        return self.head(x)"]
    rows += ["", "    def forward(self, x: Tensor) -> Tensor:"]
    return "\n".join([*rows, "        return self.forward_head(self.forward_features(x))"])


def _in_order(parts: list[tuple[str, Written]]) -> Written:
    """Parts one after the other; three blocks or more that are alike are a loop."""
    arguments: list[Argument] = []
    for alike, run in itertools.groupby(enumerate(parts), _alike):
        entries = [entry for _, entry in run]
        loop = _loop(entries) if alike is not None and len(entries) > 2 else None
        arguments += [Argument("", loop, named=False)] if loop else [Argument("", e, named=False) for e in entries]
    return Written("sequential", tuple(arguments))


def _alike(numbered: tuple[int, tuple[str, Written]]) -> object:
    """Equal for blocks that follow each other in number and are made in the same way; None for other parts."""
    place, (name, made) = numbered
    number = name.removeprefix("block")
    return (int(number) - place, made) if number.isdecimal() else None


def _loop(entries: list[tuple[str, Written]]) -> Code | None:
    first = int(entries[0][0].removeprefix("block"))
    numbers = f"range({first}, {first + len(entries)})"
    code = f'*((f"block{{i}}", {flat(entries[0][1])}) for i in {numbers})'
    return Code(code) if len(code) < WIDTH - 12 else None


def _header(architecture: Architecture, title: str) -> str:
    name, size = architecture.name, ", ".join(map(str, architecture.input))
    said = [
        f"Written by archdsl {VERSION} from the spec below, version {ir.LANGUAGE_VERSION} of its language.",
        f"Hash: {architecture.hash}",
        "",
        *(f"    {row}" for row in write(architecture, train=False).splitlines()),
    ]
    return "\n".join(
        [
            f'"""{name} as plain PyTorch: this file needs nothing but torch.',
            "",
            f"    network = {title}()",
            f'    network.load_state_dict(safetensors.torch.load_file("{name}.safetensors"))',
            "    network.eval()",
            "",
            f"Images (B, {size}) in, logits (B, {architecture.classes}) out; {architecture.params:,} parameters.",
            "`archdsl compile … --export safetensors` writes the weights; fresh ones are drawn as archdsl draws them.",
            '"""',
            "",
            *(f"# {_printable(row)}".rstrip() for row in said),
        ]
    )


def _printable(row: str) -> str:
    """A line of a spec as a comment can hold it."""
    return "".join(c if c.isprintable() else "?" for c in row)
