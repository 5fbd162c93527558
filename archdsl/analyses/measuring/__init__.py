"""What analyses measure with: batches, models held still, observers of a forward pass, corrupted images."""
