"""Statements of the periodic work: lost leases, deadlines, retention, gauges."""
