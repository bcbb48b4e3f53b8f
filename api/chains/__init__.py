"""Chains: their jobs are submitted together, and are shown and cancelled as one."""
