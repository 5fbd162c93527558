"""A run's folder in, its page out: written once, or served to a browser while the search goes on."""

from __future__ import annotations

import time
from pathlib import Path

from archdsl.base.interrupts import answered, as_interrupt

WAIT = 0.5  # seconds between two looks at a folder in which no search has begun yet


def refresh(run: Path) -> Path:
    """Write `report.html`; of a search that still runs or was killed, from its journal.

    Raises:
        ArchdslError: there are no usable results, or the page cannot be written.
    """
    from archdsl.report import write
    from archdsl.study.results import is_outdated

    if not is_outdated(run):
        return write(run)
    from archdsl.study.snapshot import snapshot  # brings PyTorch along

    return write(run, snapshot(run))


def follow(run: Path, port: int) -> None:
    """Serve the page until Ctrl-C, whenever that comes; where the search has not begun, wait for it first.

    Raises:
        ArchdslError: there are no usable results, or the port is taken.
    """
    from archdsl.report.live import Live, address, server
    from archdsl.study.snapshot import awaited, snapshot, stamp

    try:
        with as_interrupt():
            if awaited(run):
                print(f"waiting for a search to begin in '{run}' (Ctrl-C ends it)", flush=True)
            while awaited(run):
                time.sleep(WAIT)
            live = Live(lambda: snapshot(run), lambda: stamp(run))
            live.page()  # what is wrong with the folder is said here
            with server(live, port) as found:
                print(f"{address(found)}  (Ctrl-C ends it)", flush=True)
                found.serve_forever()
    except KeyboardInterrupt:
        answered()
        print()
