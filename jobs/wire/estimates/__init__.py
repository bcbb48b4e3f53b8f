"""Structs of what a job would take and cost."""
