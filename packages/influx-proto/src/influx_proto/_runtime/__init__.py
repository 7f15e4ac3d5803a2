"""Execution of operations: attempts, retries, streams and settings."""
