"""From tables to lines: pandas, polars and Arrow."""
