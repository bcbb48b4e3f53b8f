"""Routes about the service: health, metrics, models and problem types."""
