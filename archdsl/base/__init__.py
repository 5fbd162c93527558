"""What every room may use: errors, registries, files, devices, colours, statistics; no word of networks."""
