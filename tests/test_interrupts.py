"""Ctrl-C in the midst of a library that drops it or makes another exception of it; and steps it has to wait for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_searches import check_same, command, search

from archdsl.base.interrupts import as_interrupt, uninterrupted

# A command in whose midst Ctrl-C comes to {here}, and that does not end by itself.
COMMAND = """
import signal, sys, time
import archdsl.__main__, archdsl.cli.main, archdsl.base.interrupts

class Late:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def dropped():
    try:
        signal.raise_signal(signal.SIGINT)
    except:
        pass

def made_another():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise ImportError(str(error)) from None

def made_another_and_dropped():
    try:
        made_another()
    except Exception:
        pass

def imported():
    with archdsl.base.interrupts.whole_imports():
        import half
        time.sleep(600)

def tidied_up():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        time.sleep(0.5)  # longer than it takes to come again
        print("tidy")

def command():
    {here}()
    time.sleep(600)

sys.modules["archdsl.cli.main"].main = command
archdsl.__main__.main()
"""

# A command that drops Ctrl-C and ends; Python takes longer to end than it takes to come again, and there it comes anew.
ENDS = """
import atexit, signal, sys, time
import archdsl.__main__, archdsl.cli.main

class Late:
    def __del__(self, raise_signal=signal.raise_signal, interrupt=signal.SIGINT):
        raise_signal(interrupt)

def run(given):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return 0

late = Late()
atexit.register(lambda: (time.sleep(0.5), print("whole")))
sys.modules["archdsl.cli.main"].run = run
archdsl.__main__.main()
"""

# The command itself, with Ctrl-C once between the two steps in which PyTorch leaves a mode for a moment.
IN_A_MODE = """
import signal, torch.overrides
from archdsl.__main__ import main

pop, came = torch.overrides._pop_mode, []

def interrupted():
    mode = pop()
    if not came:
        came.append(mode)
        signal.raise_signal(signal.SIGINT)
    return mode

if __name__ == "__main__":
    torch.overrides._pop_mode = interrupted
    try:
        main()
    finally:
        assert came
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("here", ["Late", "dropped", "made_another", "made_another_and_dropped"])
def test_ctrl_c_is_not_lost(here: str) -> None:
    done = python(COMMAND.replace("{here}", here))
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "interrupted\n")


def test_a_command_that_ends_in_spite_of_it_keeps_its_code() -> None:
    done = python(ENDS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")


def test_ctrl_c_waits_for_the_end_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.5)\nprint('whole')\n"
    )
    monkeypatch.chdir(tmp_path)
    done = python(COMMAND.replace("{here}", "imported"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "whole\n", "interrupted\n")


def test_what_is_tidied_up_is_not_interrupted_again() -> None:
    done = python(COMMAND.replace("{here}", "tidied_up"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "tidy\n", "interrupted\n")


@pytest.mark.slow
def test_ctrl_c_in_a_mode_of_pytorch(little: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.arch").write_text("model tiny stem patch(4, k=4) stage(4, heads=1, head_dim=4)[C M]")
    options = f"--data npz:{little} --device cpu --epochs 1 --out {tmp_path / 'tiny.safetensors'}"
    done = python(IN_A_MODE, "train", str(tmp_path / "tiny.arch"), *options.split())
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("interrupted; the same command goes on from what is finished\n")
    assert "mode stack" not in done.stderr


@pytest.mark.slow
def test_a_network_is_not_to_blame_for_ctrl_c(without_fault: dict[str, Any], little: Path, tmp_path: Path) -> None:
    """Such an exception would end its training with a reason; the trial is trained when the search goes on."""
    arguments = command(tmp_path / "run", little)
    done = python(IN_A_MODE, *arguments[3:])
    assert done.returncode == 3
    assert "stopped after 0 of 7 networks; all of them are kept" in done.stderr
    assert json.loads((tmp_path / "run" / "results.json").read_text())["trials"] == []
    check_same(search(tmp_path / "run", little), without_fault)


def test_only_what_came_of_ctrl_c_is_one() -> None:
    def made_another() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("while that was handled")

    def answered() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("instead") from None

    with pytest.raises(KeyboardInterrupt), as_interrupt():
        made_another()
    with pytest.raises(RuntimeError, match="instead"), as_interrupt():
        answered()
    with pytest.raises(ValueError, match="a defect"), as_interrupt():
        raise ValueError("a defect") from KeyError()


def test_ctrl_c_waits_for_the_end_of_a_step() -> None:
    done: list[str] = []

    def interrupted_twice() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ValueError, match="a defect"), uninterrupted():
        raise ValueError("a defect")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
