"""Shared parts of the families that run on diffusers."""
