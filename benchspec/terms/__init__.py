"""Definitions that every other package uses: errors, units, metrics, outcomes, names of files."""
