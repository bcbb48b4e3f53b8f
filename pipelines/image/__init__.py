"""Families that make images, and the encoder of images."""
