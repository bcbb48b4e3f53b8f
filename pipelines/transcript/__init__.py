"""Transcripts of recordings: the families that hear words, and the encoder of transcripts."""
