"""Batches: lines of files become jobs, and ended jobs become answers in other files."""
