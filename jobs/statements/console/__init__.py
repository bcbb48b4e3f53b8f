"""Statements about sessions of the console."""
