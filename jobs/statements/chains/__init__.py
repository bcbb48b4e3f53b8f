"""Statements about chains and their steps."""
