"""`Spec` -> cases, and what each of them will need."""
