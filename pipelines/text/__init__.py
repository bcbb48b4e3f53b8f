"""Families that write texts, and the encoder of texts."""
