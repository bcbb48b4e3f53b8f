"""Running it: claim loop, supervisor and engine, encoder, residency, watchdog, webhook delivery, upkeep."""
