"""Families that make speech, its text and its voices, and the encoder of recordings."""
