"""States of waiting networks that are cut off, changed or gone: told, trained again from the start, the same result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faulty_searches import Stop, check_same, search
from safetensors import safe_open

from archdsl.base.errors import RunError
from archdsl.study.watch import Watch


class Told(Watch):
    """What was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    """Changes one bit of one number; the file is still a safetensors file."""
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    with safe_open(file, framework="pt") as opened:
        assert opened.keys()


def overwrite(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


@pytest.mark.parametrize(
    ("damage", "told"),
    [(cut, "corrupt"), (flip, "corrupt"), (overwrite, "corrupt"), (Path.unlink, "gone")],
    ids=["cut off", "one bit", "zeros", "deleted"],
)
def test_a_waiting_network_without_its_state_is_trained_again_to_the_same_result(
    damage: Callable[[Path], None], told: str, little: Path, tmp_path: Path, without_fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    folder = tmp_path / "run"
    goes_on = next(trial["number"] for trial in without_fault["trials"] if trial["kind"] == "continued")
    with pytest.raises(RunError, match="all of them are kept"):
        search(folder, little, watch=Stop(lambda record: record["number"] == goes_on))
    states = list((folder / "checkpoints").glob("*.safetensors"))
    assert states
    for file in states:
        damage(file)
    watch = Told()
    with caplog.at_level(logging.WARNING):
        results = search(folder, little, watch=watch)
    check_same(results, without_fault)
    assert results["trials"][goes_on]["anew"] == f"its checkpoint was {told}"
    assert f"its checkpoint was {told}: network {goes_on} was trained from the beginning" in watch.said
    assert ("training starts anew" in caplog.text) == (told == "corrupt")
    assert not any("anew" in trial for trial in without_fault["trials"])
