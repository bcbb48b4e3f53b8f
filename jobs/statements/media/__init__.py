"""Statements about uploads, the inputs of jobs, stored voices and the media library."""
