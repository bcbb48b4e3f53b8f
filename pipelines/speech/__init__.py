"""Families that speak, and the encoder of sound."""
