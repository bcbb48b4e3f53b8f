"""Outgoing HTTP: which addresses may be connected to, and a transport that connects to nothing else."""
