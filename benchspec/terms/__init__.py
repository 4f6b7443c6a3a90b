"""The words that every other package speaks: errors, units, metrics, outcomes, names of files."""
