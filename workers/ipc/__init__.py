"""Typed messages between a worker and its child processes."""
