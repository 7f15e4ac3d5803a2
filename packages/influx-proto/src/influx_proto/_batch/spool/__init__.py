"""Spool of a batch writer: files of lines that survive a restart."""
