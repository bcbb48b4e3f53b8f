"""The GPU worker as a named server: its lease, its queues and its remote control."""
