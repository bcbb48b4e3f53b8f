"""Statements about uploads, the inputs of jobs and stored voices."""
