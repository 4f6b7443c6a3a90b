"""Two runs of the same cases -> what differs between them, and what cannot be told."""
