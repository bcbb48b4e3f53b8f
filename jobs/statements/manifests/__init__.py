"""Statements about manifests: environments, and the jobs that were made in them."""
