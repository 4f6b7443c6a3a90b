"""The text of a spec -> `Spec`, every value with the place where it was written."""
