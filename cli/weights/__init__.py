"""Weights on this machine: what is locked, and bringing it here."""
