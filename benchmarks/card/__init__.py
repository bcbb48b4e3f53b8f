"""What `python -m benchmarks.gpu` measures on one card, in stages: no database, and films without a codec."""
