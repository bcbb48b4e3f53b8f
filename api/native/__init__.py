"""Atelier's own routes."""
