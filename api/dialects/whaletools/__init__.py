"""WhaleTools' wire format."""
