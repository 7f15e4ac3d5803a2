"""Queries: building the requests and reading the responses."""
