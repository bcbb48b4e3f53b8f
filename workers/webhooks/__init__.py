"""Webhook delivery: leases deliveries, sends them and records the outcome."""
