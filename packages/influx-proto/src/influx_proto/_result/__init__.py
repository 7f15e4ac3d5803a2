"""Query results, and their conversion to DataFrames and Arrow tables."""
