"""The Hessian of a loss as an operator, derivatives that PyTorch lacks or is slow at, and Lanczos."""
