"""`python`: the network as one file of source that needs nothing but torch; its modules have the same names."""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from archdsl import ir
from archdsl.base.errors import RunError
from archdsl.base.version import VERSION
from archdsl.interchange.arch_text import write
from archdsl.interchange.export import FORMATS, Format
from archdsl.interchange.export.expressions import (
    Argument,
    Atom,
    Call,
    Expression,
    Unwritable,
    expression,
    layer_classes,
    sequential,
    watched,
)
from archdsl.interchange.export.factories import Factory, factory, is_nested, skeleton
from archdsl.interchange.export.printing import WIDTH, flat, lines
from archdsl.interchange.export.sources import Sources
from archdsl.network import Architecture, PlacedBlock
from archdsl.network.model import Network, build, initialise

HELP = "any block goes into the others: --export safetensors,pt2,onnx"
LONGEST = 40  # characters of a name that are kept, so that what it begins fits on a line
SEQUENTIAL = '''def sequential(*parts: tuple[str, nn.Module]) -> nn.Sequential:
    """Named modules, one after the other."""
    return nn.Sequential(OrderedDict(parts))'''


def content(network: Network) -> bytes:
    """A `.py` file; its class takes the weights of the network by `load_state_dict`.

    Raises:
        RunError: a block is made of modules that are neither PyTorch's nor archdsl's.
    """
    return source(network.architecture).encode()


FORMATS.register("python")(Format(".py", content))


def source(architecture: Architecture) -> str:
    """The source of a network: header, layers, blocks, the class itself."""
    with torch.random.fork_rng(devices=[]):  # modules are made, and made again, to look at them
        blocks, sources = _blocks(architecture)
    reserved = {"sequential", *sources.defined()}
    title = _free(_title(architecture.name), reserved)
    factories, calls = _factories(blocks, reserved | {title})
    imports = "\n".join(["from __future__ import annotations", "", *sources.header()])
    layers = [text for name, text in sources.texts.items() if name != "initialise"]
    # Their lines are longer than those of most projects; the marks keep formatters from breaking them anew.
    copied = "\n\n\n".join(["# The layers, as archdsl has them.\n# fmt: off", *layers]) + "\n# fmt: on"
    top = "\n\n".join([_header(architecture, title), imports, *([copied] if layers else [])])
    written = [SEQUENTIAL, *factories, sources.texts["initialise"], _class(architecture, title, calls)]
    return "\n\n\n".join([top, *written]) + "\n"


def _title(name: str) -> str:
    """The name of a class: my_net becomes MyNet."""
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))[:LONGEST]
    return title if title.isidentifier() else f"Network{title}"


@dataclass(frozen=True)
class _Block:
    """A block of the network and the expression that makes it."""

    placed: PlacedBlock
    made: Expression


def _blocks(architecture: Architecture) -> tuple[list[_Block], Sources]:
    with torch.device("meta"), watched() as made:
        network = build(architecture)
    sources, found = Sources(), []
    sources.names = {"collections": {"OrderedDict"}, "torch": {"Tensor", "nn"}}
    classes = layer_classes()
    for placed in architecture.blocks():
        module = network.get_submodule(placed.path)
        try:
            for inner in module.modules():
                _need(inner, classes, sources)
            found.append(_Block(placed, expression(module, made)))
        except Unwritable as error:
            where = f"the block '{placed.label}' at {placed.path}"
            raise RunError(f"{where} cannot be written as python: {error}", HELP) from None
    sources.need("initialise", initialise.__module__)
    return found, sources


def _need(module: nn.Module, classes: tuple[type[nn.Module], ...], sources: Sources) -> None:
    kind = type(module)
    if kind in classes:
        sources.need(kind.__name__, kind.__module__)
    elif not kind.__module__.startswith("torch.nn."):
        raise Unwritable(f"'{kind.__name__}' of '{kind.__module__}' is neither PyTorch's nor archdsl's")


def _factories(blocks: list[_Block], taken: set[str]) -> tuple[list[str], dict[str, Expression]]:
    """A function for the blocks of a kind that differ in numbers alone, and how each block is made."""
    groups: dict[tuple[str, object], list[_Block]] = {}
    calls: dict[str, Expression] = {}
    for block in blocks:
        calls[block.placed.path] = block.made
        if is_nested(block.made):
            groups.setdefault((block.placed.kind, skeleton(block.made)), []).append(block)
    factories = []
    for (kind, _), group in groups.items():
        name = _free(f"{kind[:LONGEST]}_block", taken)
        taken = taken | {name}
        made = factory(name, [block.made for block in group])
        factories.append(_function(made, group[0].placed.path))
        calls |= {block.placed.path: call for block, call in zip(group, made.calls, strict=True)}
    return factories, calls


def _function(made: Factory, first: str) -> str:
    call = Call(f"def {made.name}", tuple(Argument("", Atom(None, "", f"{n}: {t}"), True) for n, t in made.parameters))
    count = len(made.calls)
    says = f'    """As at {first}{f" and {count - 1} more" if count > 1 else ""}."""'
    return "\n".join([*lines("", call, " -> nn.Module:"), says, *lines("return ", made.body, indent=4)])


def _class(architecture: Architecture, title: str, calls: dict[str, Expression]) -> str:
    parts: dict[str, list[tuple[str, Expression]]] = {"stem": []}
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


def _in_order(parts: list[tuple[str, Expression]]) -> Call:
    """Parts one after the other; three blocks or more that are alike are a loop."""
    arguments: list[Argument] = []
    for alike, run in itertools.groupby(enumerate(parts), _alike):
        entries = [entry for _, entry in run]
        loop = _loop(entries) if alike is not None and len(entries) > 2 else None
        arguments += [Argument("", loop, True)] if loop else sequential(entries).arguments
    return Call("sequential", tuple(arguments))


def _alike(numbered: tuple[int, tuple[str, Expression]]) -> object:
    """Equal for blocks that follow each other in number and are made in the same way; None for other parts."""
    place, (name, made) = numbered
    number = name.removeprefix("block")
    return (int(number) - place, made) if number.isdecimal() else None


def _loop(entries: list[tuple[str, Expression]]) -> Atom | None:
    first = int(entries[0][0].removeprefix("block"))
    numbers = f"range({first}, {first + len(entries)})"
    code = f'*((f"block{{i}}", {flat(entries[0][1])}) for i in {numbers})'
    return Atom(None, "", code) if len(code) < WIDTH - 12 else None


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


def _free(name: str, taken: Iterable[str]) -> str:
    names, number, found = set(taken), 2, name
    while found in names or keyword.iskeyword(found):
        found, number = f"{name}{number}", number + 1
    return found
