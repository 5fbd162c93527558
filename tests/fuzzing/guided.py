"""Inputs led by coverage: libFuzzer mutates bytes and keeps what reaches new lines of archdsl (needs `atheris`).

    python -m fuzzing.guided RESULT CORPUS RUNS SECONDS SEED      (from the folder `tests`)

libFuzzer ends the process itself, so the result, a pickled Tally, is written as it goes.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tally import Tally

NAME = "guided by coverage"
SLOWED = 3  # how many times longer instrumented code takes, at most


def available() -> str | None:
    """The version of atheris, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("atheris")
    except PackageNotFoundError:
        return None


def run(runs: int, seconds: float, seed: int, over: Callable[[], bool] = lambda: False) -> Tally:
    """A Tally of so many inputs, or of those that fit into the time or are tried before `over`; empty without atheris."""
    # Not before: in the process that is led, archdsl may be imported only where atheris sees it.
    from .grammar import NAMES
    from .mutation import BRACKETS, KEYWORDS, NUMBERS, ODD, corpus
    from .tally import Tally

    if not available() or not runs:
        return Tally()
    with TemporaryDirectory() as folder:
        known, result, words = Path(folder, "corpus"), Path(folder, "tally"), Path(folder, "words")
        known.mkdir()
        for number, data in enumerate(corpus()):
            (known / str(number)).write_bytes(data)
        odd = [word for word in (*KEYWORDS, *BRACKETS, *NUMBERS, *ODD, *NAMES) if word]
        escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "replace")) for word in odd)
        words.write_text("".join(f'"{word}"\n' for word in escaped))
        command = [
            sys.executable,
            "-m",
            "fuzzing.guided",
            result,
            known,
            words,
            str(runs),
            str(int(seconds)),
            str(seed),
        ]
        process = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(0.5)
            if over():
                process.kill()
        found: Tally = pickle.loads(result.read_bytes()) if result.exists() else Tally()
        return found


def main(result: str, known: str, words: str, runs: str, seconds: str, seed: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["archdsl"]):
        from fuzzing import limits
        from fuzzing.trial import try_input
    from fuzzing.tally import Tally

    tally, saved = Tally(), time.monotonic()

    def save() -> None:
        Path(f"{result}.new").write_bytes(pickle.dumps(tally))
        os.replace(f"{result}.new", result)

    def one(data: bytes) -> None:
        nonlocal saved
        before = time.process_time()
        trial = try_input(data, SLOWED * limits.SECONDS)
        tally.add(NAME, data, trial, time.process_time() - before)
        if time.monotonic() - saved > 5 or tally.inputs >= int(runs):
            save()
            saved = time.monotonic()

    options = [f"-runs={runs}", f"-max_total_time={seconds}", f"-seed={seed}", f"-dict={words}", "-max_len=2000"]
    atheris.Setup([sys.argv[0], known, *options, "-rss_limit_mb=0", "-timeout=120", "-verbosity=0"], one)
    save()
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
