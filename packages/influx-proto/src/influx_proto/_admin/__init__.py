"""Statements that manage a server, with their result objects, by subject."""
