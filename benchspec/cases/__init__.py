"""`Spec` -> cases, and the resources that each case will need."""
