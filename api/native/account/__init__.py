"""Routes of the caller's account: its keys, its limits and its usage."""
