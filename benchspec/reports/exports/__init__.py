"""`Results` -> the stores of other tools; each target is a file, and needs a library of its own."""
