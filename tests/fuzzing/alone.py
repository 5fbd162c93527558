"""One input in a process of its own, whose memory and processor time the system bounds: nothing it does can hurt."""

from __future__ import annotations

import os
import pickle
import resource
import signal

from . import limits
from .trial import Finding, Trial, try_input

PATIENCE = 20  # processor seconds, for what Python cannot interrupt


def try_alone(data: bytes, most_seconds: float = limits.SECONDS, most_megabytes: float = limits.MEGABYTES) -> Trial:
    """`try_input` in a child that may take no more memory than allowed; what kills it is a finding too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
            limits.bound_memory(most_megabytes)
            result = pickle.dumps(try_input(data, most_seconds, most_megabytes))
            while result:
                result = result[os.write(writing, result) :]
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if answer:
        trial: Trial = pickle.loads(answer)
        return trial
    how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit status {status}"
    return Trial("finding", 0.0, 0.0, Finding("killed", "", how, f"the process ended by {how}"))
