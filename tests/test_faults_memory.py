"""Networks for which memory does not suffice, in real searches: given up for that reason, and the others go on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_searches import check_budget, command, eventually, recorded, search, start
from quick_workers import workers_of_a_server  # noqa: F401

from archdsl.study.deaths import LIMIT, Deaths

# Four members; those with the wide convolution hold so many weights that no machine has room for them.
IMPOSSIBLE = """
model impossible
stem patch(4, k=4)
stage(4, heads=1) [{C|M} {C|conv(100000000000000, k=1) conv(4, k=1)}]
train(epochs=1, batch=32)
"""
ONE = "model one stem patch(4, k=4) stage(4) [{C|conv(134000000, k=1) conv(4, k=1)}] train(epochs=1, batch=32)"
# Two gigabytes of weights in its first convolution, as many in its second.
WIDE = IMPOSSIBLE.replace("impossible", "wide").replace("100000000000000", "134000000")
MANY = 900 * 2**20  # bytes; what a process of PyTorch holds without such a network is a third of it


def is_wide(trial: dict[str, Any]) -> bool:
    return trial["params"] > 10**8


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_network_that_cannot_be_allocated_fails_for_that_reason(little: Path, tmp_path: Path, workers: int):
    results = search(tmp_path / "run", little, IMPOSSIBLE, budget=4, workers=workers)
    check_budget(results, 4)
    for trial in results["trials"]:
        assert trial["state"] == ("failed" if is_wide(trial) else "complete")
        assert ("not enough memory for the 800,000,000" in (trial["reason"] or "")) == is_wide(trial)
    assert sum(map(is_wide, results["trials"])) == 2
    assert not (tmp_path / "run" / "defects.log").exists()  # no defect of ours
    again = search(tmp_path / "run", little, IMPOSSIBLE, budget=4, workers=workers)
    assert again["trials"] == results["trials"]


def test_a_limit_on_memory_fails_the_large_networks_only(little: Path, tmp_path: Path):
    """As `ulimit -v` or a batch system sets one: allocations fail in the midst of building or training."""
    spec = tmp_path / "wide.arch"
    spec.write_text(WIDE.replace("{C|conv", "{C|conv(20000000, k=1) conv(4, k=1)|conv"))
    # What the libraries alone take differs between machines, and grows in a process that has run many tests.
    code = "import archdsl.api.search; print(open('/proc/self/statm').read().split()[0])"
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # each further thread would take space of its own
    pages = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=alone).stdout)
    limit = pages * resource.getpagesize() + 3 * 2**29  # weights of 0.6 GB fit, a training of theirs and 2 GB do not
    done = subprocess.run(
        command(tmp_path / "run", little, spec=spec, budget=6), capture_output=True, text=True, env=alone,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout) | {"finished": True}
    check_budget(results, 6)
    reasons = {trial["params"]: trial["reason"] for trial in results["trials"] if trial["state"] != "complete"}
    assert len(reasons) == 4
    for params, reason in reasons.items():  # the larger ones cannot be built, the smaller ones cannot be trained
        assert reason.startswith("memory ran out with batch=32" if params < 2 * 10**8 else "not enough memory"), reasons


def resident(process: int) -> int:
    """Bytes of memory a process has; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


@pytest.mark.slow
def test_a_search_that_is_killed_for_want_of_memory_again_and_again_gives_that_network_up(little: Path, tmp_path: Path):
    """This test is the system's OOM killer: it kills whatever grows too large, with a signal nobody can catch.

    One worker trains in the search's own process, which dies with it; whoever resumes it would meet the same network.
    """
    spec, folder = tmp_path / "wide.arch", tmp_path / "run"
    spec.write_text(ONE)
    arguments = command(folder, little, "--sampler", "exhaustive", spec=spec, budget=2)
    kept, deaths = 0, 0
    while True:
        process = start(arguments)
        if eventually(lambda: process.poll() is not None or resident(process.pid) > MANY):  # noqa: B023
            process.kill()
        output, said = process.communicate()
        assert recorded(folder) >= kept  # nothing that was recorded is lost
        kept = recorded(folder)
        if process.returncode != -signal.SIGKILL:
            break
        deaths += 1
        assert deaths <= LIMIT, "it never gives up"
    assert process.returncode == 0, said
    assert deaths == LIMIT
    results = json.loads(output) | {"finished": True}
    check_budget(results, 2)
    assert any(map(is_wide, results["trials"]))
    for trial in results["trials"]:
        reason = "the search was killed 3 times while training it, perhaps for want of memory"
        assert (trial["state"], trial["reason"]) == (("failed", reason) if is_wide(trial) else ("complete", None))


@pytest.mark.slow
def test_a_final_that_gets_the_search_killed_again_and_again_is_given_up(little: Path, tmp_path: Path):
    """Killed as the system does for want of memory, after the last epoch: in a final's analysis."""
    script = tmp_path / "killed.py"
    script.write_text(
        "import json, os, signal, sys\n"
        "from pathlib import Path\n"
        "import archdsl\n"
        "from archdsl.study import trial\n"
        "measured = trial._measured\n"
        "def killed(network, entry, task, data, device):\n"
        "    if task.final and task.seed == 1 and 'M' in str(task.architecture.layout):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return measured(network, entry, task, data, device)\n"
        "trial._measured = killed\n"
        "text = 'model two stem patch(4, k=4) stage(4, heads=1, head_dim=4)[{C|M}] train(epochs=1, batch=64)'\n"
        "run = Path(sys.argv[2])\n"
        "results = archdsl.search(text, budget=2, data=sys.argv[1], run=run, final_seeds=2, device='cpu')\n"
        "print(json.dumps(results['finalists']))\n"
    )
    arguments = [sys.executable, str(script), f"npz:{little}", str(tmp_path / "run")]
    for _ in range(LIMIT):
        process = start(arguments)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start(arguments)
    output, said = process.communicate()
    assert process.returncode == 0, said
    seeds = {finalist["hash"]: [one["seed"] for one in finalist["seeds"]] for finalist in json.loads(output)}
    assert sorted(seeds.values()) == [[1, 2], [2]]
    kept = json.loads((tmp_path / "run" / "finals.json").read_text())
    assert [one["failed"] for one in kept.values() if "failed" in one] == [
        "the search was killed 3 times while training it, perhaps for want of memory"
    ]
    assert not (tmp_path / "run" / "training.json").exists()


def test_a_note_of_what_is_trained_is_left_by_killed_searches_alone(tmp_path: Path):
    file, state = tmp_path / "deaths.json", tmp_path / "checkpoints" / "state"
    with pytest.raises(KeyboardInterrupt), Deaths(file).noted("a", state):
        raise KeyboardInterrupt
    killed = []  # a context that is let go of would end in order
    for _ in range(LIMIT):
        deaths = Deaths(file)
        assert deaths.reason("a") is None
        killed.append(deaths.noted("a", state))
        killed[-1].__enter__()
    assert Deaths(file).reason("a") is not None
    assert Deaths(file).reason("a") == Deaths(file).reason("a")  # counted once
    (tmp_path / "training.json").write_text("{")
    assert Deaths(file).reason("b") is None


def test_deaths_count_only_while_no_epoch_ends(tmp_path: Path):
    state = tmp_path / "state"
    deaths = Deaths(tmp_path / "deaths.json")
    for _ in range(LIMIT - 1):
        deaths.add("a", state)
    assert deaths.reason("a") is None
    state.write_text("an epoch has ended")
    for _ in range(LIMIT - 1):
        Deaths(tmp_path / "deaths.json").add("a", state)
    assert Deaths(tmp_path / "deaths.json").reason("a") is None
    Deaths(tmp_path / "deaths.json").add("a", state)
    reopened = Deaths(tmp_path / "deaths.json")
    assert str(LIMIT) in str(reopened.reason("a"))
    assert reopened.reason("b") is None
    (tmp_path / "deaths.json").write_text('{"a": 3')
    assert Deaths(tmp_path / "deaths.json").reason("a") is None
