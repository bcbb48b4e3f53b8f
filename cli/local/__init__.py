"""The local machine: its data directory, addresses, GPUs and scratch space."""
