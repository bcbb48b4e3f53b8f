"""Statements about jobs: submit, claim, the writes of the claim's holder, and those of the job's owner."""
