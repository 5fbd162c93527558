"""Random, damaged and hostile `.arch` inputs, and the trial each goes through; `benchmarks/fuzz.py` is the long run."""
