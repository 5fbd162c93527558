"""Networks in and out: as text, as files of weights, as graphs, as Python, as models of timm."""
