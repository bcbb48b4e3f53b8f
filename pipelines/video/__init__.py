"""Families that make videos, and the encoder of videos."""
