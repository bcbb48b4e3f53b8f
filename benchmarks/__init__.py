"""Ratios of two things measured in turn in one run; `make bench` runs them and writes `results/` and the table."""

import pipelines  # noqa: F401  what it puts in torchaudio's place has to be there before diffusers is imported
