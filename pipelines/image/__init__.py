"""Families that make pictures, and the encoder of pictures."""
