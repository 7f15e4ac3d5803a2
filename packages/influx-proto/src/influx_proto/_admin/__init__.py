"""Builders of administration statements, with the objects that they return."""
