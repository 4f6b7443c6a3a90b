"""Rows -> token arrays on disk -> batches."""
