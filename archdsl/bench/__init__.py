"""Fully trained spaces as tables, and what they say: regret of samplers, what early epochs and scores are worth."""

from archdsl.bench.table import Row, Table, make, shipped

__all__ = ["Row", "Table", "make", "shipped"]
