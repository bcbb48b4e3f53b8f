"""Prompt templates: named prompts of the service with places for what a caller sends."""
