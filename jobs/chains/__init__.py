"""Chains: jobs of which one's output is another's input, shown as one."""
