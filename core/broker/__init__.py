"""The broker, Redis or Valkey: one reading of its URL, for redis-py and for Celery."""
