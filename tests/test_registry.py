"""Registries: a new file registers itself, a typo gets a did-you-mean, a name is given once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archdsl.base.errors import ArchdslError, UnknownNameError
from archdsl.base.registry import Registry
from archdsl.language import prelude


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package `things` with a registry and one file."""
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from archdsl.base.registry import Registry\nTHINGS = Registry('thing', 'things')\n", encoding="utf-8"
    )
    (folder / "hammer.py").write_text(
        "from things import THINGS\n\n@THINGS.register('hammer')\ndef hammer():\n    return 'bang'\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "things"]:
        del sys.modules[name]


def test_a_new_file_registers_itself(package: Path) -> None:
    (package / "saw.py").write_text("from things import THINGS\nTHINGS.register('saw')(len)\n", encoding="utf-8")
    from things import THINGS  # type: ignore[import-not-found]

    assert list(THINGS) == ["hammer", "saw"]
    assert len(THINGS) == 2
    assert THINGS["hammer"]() == "bang"
    assert "saw" in THINGS
    assert "drill" not in THINGS


def test_nothing_is_imported_before_it_is_asked_for(package: Path) -> None:
    import things  # type: ignore[import-not-found]

    assert "things.hammer" not in sys.modules
    assert "hammer" in things.THINGS
    assert "things.hammer" in sys.modules


def test_a_typo_gets_a_did_you_mean(package: Path) -> None:
    from things import THINGS  # type: ignore[import-not-found]

    with pytest.raises(UnknownNameError) as caught:
        THINGS["hamer"]
    assert str(caught.value) == "unknown thing 'hamer'\n  = help: did you mean 'hammer'?"
    with pytest.raises(ArchdslError) as caught_error:
        THINGS["zzz"]
    assert caught_error.value.help == "there are: hammer"


def test_a_name_is_given_once() -> None:
    registry: Registry[object] = Registry("thing", "archdsl.blocks.layers")
    thing = object()
    assert registry.register("it")(thing) is thing
    registry.register("it")(thing)  # the same again, as when a module is imported twice
    with pytest.raises(ValueError, match="thing 'it' is registered twice"):
        registry.register("it")(object())


def test_a_file_that_fails_fails_each_time(package: Path) -> None:
    (package / "broken.py").write_text("raise ImportError('no such library')\n", encoding="utf-8")
    from things import THINGS  # type: ignore[import-not-found]

    for _ in range(2):
        with pytest.raises(ImportError, match="no such library"):
            list(THINGS)


def test_the_blocks_of_the_language_page_are_there() -> None:
    named = "conv norm act drop maxpool avgpool gap linear patch pos cls basic bottleneck msa transformer mixer convnext mbconv"
    assert set(named.split()) <= prelude.blocks().keys()
