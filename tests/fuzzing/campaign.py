"""A long run: chunks of inputs in forked processes, so that none can hurt the run, each finding kept with its input."""

from __future__ import annotations

import gc
import mmap
import os
import pickle
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import limits
from .mixture import numbered
from .tally import Tally
from .trial import Finding, Trial, try_input

CHUNK = 1000
GUARD = 800.0  # megabytes a chunk may grow by before Python itself stops it
PATIENCE = 120.0  # seconds by the clock for one input, after which its process is killed
_NOW = struct.Struct("qd")  # number of the input under way, and when it began


@dataclass
class _Chunk:
    """Some inputs in a process of their own."""

    numbers: range
    process: int
    pipe: int
    now: mmap.mmap
    answer: bytes = b""


def run(
    seed: int, inputs: int, processes: int, done: Callable[[Tally], None] | None = None,
    over: Callable[[], bool] = lambda: False,
) -> Tally:  # fmt: skip
    """Try inputs 0, 1, … of a seed.

    Args:
        seed: of all random choices.
        inputs: how many.
        processes: how many at once.
        done: is told the sum after each chunk.
        over: whether no further chunk is to begin.
    """
    total = Tally()
    gc.freeze()  # what is there already needs no collecting in each process
    chunks = iter([range(start, min(start + CHUNK, inputs)) for start in range(0, inputs, CHUNK)])
    running: dict[int, _Chunk] = {}
    while True:
        while len(running) < processes and not over() and (numbers := next(chunks, None)) is not None:
            chunk = _start(seed, numbers)
            running[chunk.pipe] = chunk
        if not running:
            return total
        for chunk in _ended(running):
            tally, rest = _result(seed, chunk)
            total.merge(tally)
            if rest:  # what the process that died did not get to
                chunk = _start(seed, rest)
                running[chunk.pipe] = chunk
            if done is not None:
                done(total)


def _start(seed: int, numbers: range) -> _Chunk:
    reading, writing = os.pipe()
    now = mmap.mmap(-1, _NOW.size)
    process = os.fork()
    if process == 0:
        try:
            os.close(reading)
            limits.bound_memory(GUARD)
            answer = pickle.dumps(_try_all(seed, numbers, now))
            while answer:
                answer = answer[os.write(writing, answer) :]
        finally:
            os._exit(0)
    os.close(writing)
    return _Chunk(numbers, process, reading, now)


def _try_all(seed: int, numbers: range, now: mmap.mmap) -> Tally:
    tally = Tally()
    for number in numbers:
        now[:] = _NOW.pack(number, time.monotonic())
        generator, data = numbered(seed, number)
        before = time.process_time()
        trial = try_input(data)
        if trial.finding is not None and trial.finding.kind == "slow":
            again = try_input(data)  # once may be the machine's fault
            trial = min(trial, again, key=lambda found: found.seconds)
        tally.add(generator, data, trial, time.process_time() - before)
    return tally


def _ended(running: dict[int, _Chunk]) -> Iterator[_Chunk]:
    """Read from the processes; those that ended leave the table, those that hang are killed."""
    ready, _, _ = select.select(list(running), [], [], 1.0)
    for pipe in ready:
        chunk = running[pipe]
        piece = os.read(pipe, 1 << 20)
        chunk.answer += piece
        if not piece:
            del running[pipe]
            os.close(pipe)
            yield chunk
    for chunk in running.values():
        _, began = _NOW.unpack(chunk.now[:])
        if began and time.monotonic() - began > PATIENCE:
            os.kill(chunk.process, signal.SIGKILL)


def _result(seed: int, chunk: _Chunk) -> tuple[Tally, range | None]:
    """What a process found; if it died, that, and the numbers that are left (what went before is tried no more)."""
    _, status = os.waitpid(chunk.process, 0)
    if chunk.answer:
        tally: Tally = pickle.loads(chunk.answer)
        return tally, None
    number, _ = _NOW.unpack(chunk.now[:])
    generator, data = numbered(seed, number)
    how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit status {status}"
    tally = Tally()
    tally.add(generator, data, Trial("finding", 0, 0, Finding("killed", "", how, f"input {number}: {how}")))
    return tally, range(number + 1, chunk.numbers.stop) if number + 1 < chunk.numbers.stop else None
