"""Statements of estimates: how long jobs took, and what waits before a new one."""
