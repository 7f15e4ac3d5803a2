"""HTTP as values: requests, responses, and what a connection needs to know."""
