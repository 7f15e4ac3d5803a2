"""Decoders of response bodies."""
