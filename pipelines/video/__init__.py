"""Families that make films, and the encoder of films."""
