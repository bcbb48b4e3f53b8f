"""The worker processes: GPU supervisor, engine, encoder, and the CPU worker with ingest, webhooks and maintenance."""
