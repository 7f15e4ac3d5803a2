"""The execution of an operation: attempts, retries, streams and settings."""
