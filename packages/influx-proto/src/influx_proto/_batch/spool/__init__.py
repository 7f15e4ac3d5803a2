"""The spool of a batch writer: lines that survive a restart."""
