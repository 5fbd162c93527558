"""The paper, rerun: Park & Kim 2022 (arXiv 2202.06709) on matched networks, its figures and claims from our numbers."""
