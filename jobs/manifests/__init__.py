"""Manifests: what a completed job was made of, and with."""
