"""The IR: frozen and typed, JSON in and out, a schema that fits, and no Lark or torch behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from archdsl import ir
from archdsl.base import resources
from archdsl.base.errors import Span
from archdsl.language import parse
from archdsl.language.sources import read_file

FILES = {
    **resources.shipped_specs(),
    **{f"fixture {path.stem}": path for path in sorted((Path(__file__).parent / "fixtures/valid").glob("*.arch"))},
}


@pytest.fixture(params=FILES)
def spec(request: pytest.FixtureRequest) -> ir.Spec:
    """Every shipped spec and valid fixture."""
    return parse(read_file(str(FILES[request.param])).text)


def test_json_in_and_out(spec: ir.Spec) -> None:
    text = spec.model_dump_json()
    again = ir.Spec.model_validate_json(text)
    assert again == spec
    assert again.model_dump_json() == text
    assert hash(again) == hash(spec)


def test_json_keeps_types_apart() -> None:
    spec = parse("stage(64)[T(mlp_ratio={1|1.5}, window={none|4}, shift={false|true}) C(order={pre|post})]")
    picks = [h for h in ir.holes(ir.Spec.model_validate_json(spec.model_dump_json())) if isinstance(h, ir.Pick)]
    assert [[type(o) for o in pick.options] for pick in picks] == [
        [int, float],
        [type(None), int],
        [bool, bool],
        [str, str],
    ]


def test_the_schema_fits(spec: ir.Spec) -> None:
    jsonschema.validate(json.loads(spec.model_dump_json()), ir.json_schema())


def test_the_schema_is_one_and_refuses_other_things() -> None:
    schema = ir.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = json.loads(parse("stage[C {C|M}]").model_dump_json())
    for change in ({"classes": "ten"}, {"stages": 3}, {"unheard_of": 1}, {"stages": [{"width": 64}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | change, schema)
        with pytest.raises(ValidationError):
            ir.Spec.model_validate(good | change)


def test_frozen() -> None:
    spec = parse("stage[{C|M}]")
    nodes = list(ir.walk(spec))
    assert {type(node).__name__ for node in nodes} == {"Spec", "StageSpec", "ChoiceSpec", "BlockSpec", "Variable"}
    for node in nodes:
        with pytest.raises(ValidationError):
            node.at = None
    with pytest.raises(ValidationError):
        spec.name = "other"  # type: ignore[misc]


def test_places_are_known_but_no_part_of_the_value() -> None:
    here, there = parse("stage[M(window=4)]"), parse("\n\n stage [ M( window = 4 ) ]")
    assert here == there
    assert hash(here) == hash(there)
    block = here.stages[0].items[0]
    assert isinstance(block, ir.BlockSpec)
    assert block.at == Span(1, 7, 1, 18)
    assert block.places == {"window": Span(1, 9, 1, 17)}
    assert "at" not in block.model_dump()


def test_different_specs_differ() -> None:
    texts = [
        "stage[C]",
        "stage[M]",
        "stage[C C]",
        "stage(32)[C]",
        "stage[{C|M}]",
        "stage[C] require depth > 0",
        "classes 10 stage[C]",
    ]
    specs = [parse(text) for text in texts]
    assert all((a == b) is (i == j) for i, a in enumerate(specs) for j, b in enumerate(specs))
    assert len(set(specs)) == len(specs)


def test_holes_come_in_the_order_of_the_text_and_shared_ones_once() -> None:
    text = """
        let B = {C|M}
        defaults(head_dim={16|32})
        stem conv({8|16})
        stage(64, heads={1|{2|4}}) [B {C|M(window={2|4})} B C*{1..2}]
        train(lr={1e-4..1e-2 log}, epochs={1..3})
    """
    assert [hole.name for hole in ir.holes(parse(text))] == [
        "defaults.head_dim",
        "stem.block1.width",
        "stage1.heads",
        "stage1.heads.2",
        "B",
        "stage1.block2",
        "stage1.block2.2.window",
        "stage1.block4.times",
        "train.lr",
        "train.epochs",
    ]


@pytest.mark.parametrize(
    ("low", "high", "step", "count"), [(1, 3, 1, 3), (192, 256, 32, 3), (1, 10, 4, 3), (5, 5, 2, 1)]
)
def test_ranges_include_their_ends(low: int, high: int, step: int, count: int) -> None:
    assert ir.IntRange(name="x", low=low, high=high, step=step).count() == count


def test_neither_lark_nor_torch_stands_behind_it() -> None:
    code = "import sys, archdsl.ir; print([n for n in ('lark', 'torch', 'archdsl.language', 'archdsl.blocks') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
