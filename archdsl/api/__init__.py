"""What users call: train, analyze, compare, search, reproduce."""
