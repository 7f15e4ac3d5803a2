"""From points, objects and tables to batches of line protocol."""
