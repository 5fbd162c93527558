"""The PyTorch modules that PyTorch itself lacks; everything here imports torch."""
