"""HTTP messages as values, the settings of a connection, and the mapping of responses to errors."""
