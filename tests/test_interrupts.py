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

from archdsl.base.interrupts import answered, as_interrupt, ask, uninterrupted

# A command in whose midst Ctrl-C comes to {here}, and that goes on for ten minutes, step by step.
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

def waited():
    with archdsl.base.interrupts.uninterrupted():
        import half
        go_on()

def go_on():
    for _ in range(6_000):
        time.sleep(0.1)
        archdsl.base.interrupts.ask()

def tidied_up():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        archdsl.base.interrupts.ask()
        print("tidy")

def command():
    {here}()
    go_on()

sys.modules["archdsl.cli.main"].main = command
archdsl.__main__.main()
"""

# A command that drops Ctrl-C and ends; while Python ends, it comes anew.
ENDS = """
import atexit, signal, sys, time
import archdsl.__main__, archdsl.cli.main

class Late:
    def __del__(self, raise_signal=signal.raise_signal, interrupt=signal.SIGINT):
        raise_signal(interrupt)

def command(given):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return 0

late = Late()
atexit.register(lambda: print("whole"))
sys.modules["archdsl.cli.main"]._run = command
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


def test_ctrl_c_waits_for_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nprint('whole')\n")
    monkeypatch.chdir(tmp_path)
    done = python(COMMAND.replace("{here}", "waited"))
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
        signal.raise_signal(signal.SIGINT)
        raise RuntimeError("of a library that was interrupted")

    def answered_then_failed() -> None:
        signal.raise_signal(signal.SIGINT)
        assert answered() == 1
        raise RuntimeError("it has been answered")

    with pytest.raises(KeyboardInterrupt), uninterrupted(), as_interrupt():
        made_another()
    assert answered() == 1
    with pytest.raises(RuntimeError, match="it has been answered"), uninterrupted(), as_interrupt():
        answered_then_failed()
    with pytest.raises(ValueError, match="a defect"), uninterrupted(), as_interrupt():
        raise ValueError("a defect") from KeyError()
    with pytest.raises(ValueError, match="nobody listens"), as_interrupt():
        raise ValueError("nobody listens")


def test_ctrl_c_waits_for_the_end_of_a_step() -> None:
    done: list[str] = []

    def interrupted() -> None:
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (done, answered()) == (["inner", "outer"], 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ValueError, match="a defect"), uninterrupted():
        raise ValueError("a defect")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_asked_for_between_steps_and_a_second_does_not_wait() -> None:
    done: list[int] = []

    def steps() -> None:
        for step in range(3):
            ask()
            signal.raise_signal(signal.SIGINT)
            done.append(step)

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append(99)

    with pytest.raises(KeyboardInterrupt), uninterrupted():
        steps()
    assert (done, answered()) == ([0], 1)
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        twice()
    assert (done, answered()) == ([0], 2)
    ask()  # nothing came


def test_one_that_nobody_answered_disturbs_no_later_work() -> None:
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
    ask()
    with uninterrupted():
        ask()
    assert answered() == 0
