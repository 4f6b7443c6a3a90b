"""Cases -> process groups -> the journal of a run directory."""
