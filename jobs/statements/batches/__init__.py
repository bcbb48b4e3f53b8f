"""Statements about files of lines, and about batches of them."""
