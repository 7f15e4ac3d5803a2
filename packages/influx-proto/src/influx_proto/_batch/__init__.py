"""Batch writers, which collect lines and deliver them in the background."""
