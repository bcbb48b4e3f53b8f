"""Ratios of two things measured in turn in one run; `make bench` runs them and writes `results/` and the table."""
