"""What analyses return, and how it is drawn: scores with errors, JSON, and the figures of the larger analyses."""
