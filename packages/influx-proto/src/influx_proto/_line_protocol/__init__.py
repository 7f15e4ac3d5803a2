"""The text format of points, written and read."""
