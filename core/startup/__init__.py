"""What a process checks before it starts."""
