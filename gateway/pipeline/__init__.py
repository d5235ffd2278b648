"""Columns to columns: scale, limits, clock sanity, deadband."""
