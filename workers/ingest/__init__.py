"""Ingest: fetches and cleans the inputs of jobs."""
