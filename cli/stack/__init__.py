"""The whole service on one machine, as supervised processes."""
