"""Footage in, takes and pictures out."""
