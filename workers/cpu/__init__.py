"""The CPU worker: the process that runs ingest, webhooks, maintenance and retention."""
