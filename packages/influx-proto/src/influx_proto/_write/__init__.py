"""Writes: building the requests and delivering the batches."""
