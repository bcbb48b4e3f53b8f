"""Families that make speech, and the encoder of audio."""
