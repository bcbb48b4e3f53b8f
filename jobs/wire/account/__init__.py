"""Structs of keys, and of what a tenant has and uses."""
