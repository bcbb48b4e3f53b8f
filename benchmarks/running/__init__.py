"""The service, or parts of it, run for a benchmark."""
