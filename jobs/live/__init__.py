"""What followers get of a job while it is made: pieces of its output, on their way through Redis."""
