"""One rank of one case: what runs in each process of a group."""
