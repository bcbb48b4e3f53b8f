"""Estimates: what a job would take and cost, before it is submitted."""
