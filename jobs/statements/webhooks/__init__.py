"""Statements about webhook endpoints, their deliveries and their receivers."""
