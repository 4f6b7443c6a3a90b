"""A training script of one's own -> a run directory like that of a spec."""
