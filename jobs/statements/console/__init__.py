"""Statements of the console: its sessions, and the queue by model."""
