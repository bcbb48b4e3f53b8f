"""Rate limits: token buckets of API keys and of addresses, in Redis and, while it is away, in this process."""
