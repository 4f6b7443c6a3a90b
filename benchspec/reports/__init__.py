"""`Results` -> reports: tables as values, and their text."""
