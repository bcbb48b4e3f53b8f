"""Chains: jobs get the outputs of others as their inputs, and chains end with their jobs."""
