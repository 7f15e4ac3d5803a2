"""The results of queries, and their views as tables and frames."""
