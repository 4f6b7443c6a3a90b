"""The data of a case: rows -> token arrays in the cache -> batches."""
