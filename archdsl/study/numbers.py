"""Checks the numbers that a search is given, before anything starts."""

from __future__ import annotations

from archdsl.base.errors import UsageError

SEEDS_OF_NUMPY = 2**32  # as many as its older generators take, and Optuna's samplers with them
MOST = 2**31 - 1  # a budget; databases keep no larger integers in the columns for them
LARGEST_SEED = 2**63 - 1  # PyTorch takes a little more, but finals count on from here
LONGEST = 1e9  # seconds, thirty years; beyond lie overflows of whatever waits for them


def check_numbers(
    *, budget: int = 1, workers: int | None = None, final_seeds: int = 0, seed: int = 0, timeout: float | None = None,
    trial_timeout: float | None = None,
) -> None:  # fmt: skip
    """Refuse what means nothing; the parameters are those of `search` and `join`.

    Raises:
        UsageError: a number is too small, too large or none.
    """
    if budget < 1:
        raise UsageError(f"a budget of {budget} trains nothing", "give --budget 1 or more")
    if budget > MOST:
        raise UsageError(f"--budget is at most {MOST:,}")
    for flag, seconds in (("--timeout", timeout), ("--trial-timeout", trial_timeout)):
        if seconds is not None and not 0 < seconds <= LONGEST:  # NaN is in no interval
            raise UsageError(
                f"{flag} is a number of seconds above 0 and up to {LONGEST:,.0f}, not {seconds}",
                f"leave {flag} out for no limit",
            )
    if workers is not None and workers < 1:
        raise UsageError("--workers is 1 or more")
    if final_seeds < 0:
        raise UsageError("--final-seeds is 0 or more")
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed is 0 to 2**63 - 1, not {seed}")
