"""Times an edit of a 200-line file until its mistakes and hints are there, over the real protocol, as JSON.

    python benchmarks/editor.py [--edits 30] [--out benchmarks/results/editor.json]

Goal: at most 50 ms in a warm server. Each edit is a new version of the text, sent whole; the clock stops when both the
mistakes of that version and the answer about its hints have arrived; `processor` is what the server itself worked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import describe

from archdsl.base import resources

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from editor_client import Editor

EVERYTHING = {"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}}


def long_file() -> str:
    """200 lines as people write them: the prelude's blocks under names of their own, lets, sixteen stages, comments."""
    prelude = (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8").split("\n\n")[1:]
    lines = ["model long", "input 3x64x64", "classes 100", "defaults(act=gelu)", ""]
    for piece in prelude:
        lines += [*re.sub(r"^block (\w+)", r"block my_\1", piece.strip(), flags=re.M).split("\n"), ""]
    names = re.findall(r"^block (\w+)", "\n".join(lines), re.M)
    lines += [f"let L{i} = {names[i % len(names)]}  # letter {i}" for i in range(24)]
    lines += ["", "stem conv(64) norm act"]
    for i in range(16):
        width, stride = 64 * 2 ** (i // 4), 2 if i in (4, 8, 12) else 1
        lines += [
            f"# stage {i + 1}: {width} channels",
            f"stage({width}, stride={stride}, heads=4) [L{i} C*2 (C M)*2 L{i + 8}]",
        ]
    lines += ["head norm act gap linear", "", "require params <= 900M and depth <= 200", "require count(M) >= 1"]
    lines += ["maximize accuracy", "minimize params", "data fashion", "train(epochs=3, lr=1e-3)"]
    return "\n".join(["# a remark"] * (200 - len(lines)) + lines) + "\n"


def dense_file() -> str:
    """200 lines without any rest: 20 blocks of two convolutions, 59 stages of ten items each."""
    lines = ["model dense", "stem conv(64)"]
    for i in range(20):
        lines += [
            f"block b{i}(k=3, expansion=2, act=relu) =",
            "  residual[",
            "    conv(width//expansion, k=1) norm act(act)",
            "    conv(width, k=k, groups=1) norm",
            "  ]",
        ]
    lines += [f"let L{i} = b{i}(k={3 + 2 * (i % 3)})" for i in range(20)]
    stage = "stage(128, stride=1, heads=4) [L{} C b{}(expansion=4) M(heads=8)*2 (C T)*2]"
    lines += [stage.format(i % 20, i % 20) for i in range(197 - len(lines))]
    return "\n".join([*lines, "head norm act gap linear", "require params <= 900M", "maximize accuracy"]) + "\n"


def space_of(text: str) -> str:
    """The same with three choices in every stage."""
    return text.replace("C*2 (C M)*2", "{C|M}*3 (C M)")


Edit = Callable[[str, int], str]
EDITS: dict[str, tuple[str, Edit]] = {
    "an argument of a stage": (
        long_file(),
        lambda text, i: text.replace("heads=4", f"heads={2 ** (i % 3)}", 1 + i % 9),
    ),
    "the width of the first stage, which all shapes depend on": (
        long_file(),
        lambda text, i: text.replace("stage(64,", f"stage({64 + 16 * i},"),
    ),
    "a block definition": (long_file(), lambda text, i: text.replace("after=2", f"after={i % 3}")),
    "a line at the top": (long_file(), lambda text, i: "#\n" * (1 + i) + text),
    "a word half written": (long_file(), lambda text, i: text.replace("gap linear", f"gap line{'a' * (i % 5)}(")),
    "a bracket left open": (long_file(), lambda text, i: text.replace("L3 C*2", f"L{i % 9} C*2 M(", 1)),
    "a space, an argument of a stage": (
        space_of(long_file()),
        lambda text, i: text.replace("heads=4", f"heads={2 ** (i % 3)}", 1 + i % 9),
    ),
    "636 blocks, an argument of a stage": (
        dense_file(),
        lambda text, i: text.replace("heads=8", f"heads={2 ** (i % 4)}", 1 + i % 9),
    ),
}


def processor_time(editor: Editor) -> float | None:
    """Seconds of processor time the server has used, which other work on the machine does not stretch; Linux only."""
    try:
        fields = Path(f"/proc/{editor.process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(editor: Editor, name: str, text: str, change: Edit, edits: int) -> dict[str, Any]:
    """Milliseconds of one kind of edit."""
    uri = f"file:///{abs(hash(name))}.arch"
    editor.open(uri, text)
    assert editor.diagnostics(uri, 1) == [], "the text is right to begin with"
    taken = []
    used = None
    for i in range(edits + 3):
        if i == 3:
            used = processor_time(editor)
        changed = change(text, i)
        began = time.perf_counter()
        editor.change(uri, changed, i + 2)
        hints = editor.about("inlayHint", uri, range=EVERYTHING)
        mistakes = editor.diagnostics(uri, i + 2)
        if i >= 3:  # the first ones fill caches
            taken.append(1000 * (time.perf_counter() - began))
        time.sleep(0.02)  # nobody types faster
    now = processor_time(editor)
    editor.close(uri)
    taken.sort()
    return {
        "median": round(statistics.median(taken), 1),
        "p95": round(taken[int(0.95 * (len(taken) - 1))], 1),
        "min": round(taken[0], 1),
        "processor": None if used is None or now is None else round(1000 * (now - used) / edits, 1),
        "hints": len(hints),
        "mistakes": len(mistakes),
    }


def start() -> float:
    """Seconds from the start of the process to the mistakes of a first text."""
    began = time.perf_counter()
    editor = Editor()
    editor.open("file:///first.arch", "stage[C C MM]")
    editor.diagnostics("file:///first.arch", 1)
    seconds = time.perf_counter() - began
    editor.leave()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    editor = Editor()
    result = {
        "machine": describe(),
        "lines": long_file().count("\n"),
        "edits": options.edits,
        "seconds_to_first_mistakes": round(statistics.median(start() for _ in range(3)), 2),
        "milliseconds": {
            name: measure(editor, name, text, change, options.edits) for name, (text, change) in EDITS.items()
        },
    }
    editor.leave()
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
