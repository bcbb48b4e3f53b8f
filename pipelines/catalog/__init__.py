"""The model catalog: entries, licenses, and what a model requires of a request."""
