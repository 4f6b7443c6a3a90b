"""What this machine is, and what it lacks to run."""
