"""Offline validation: champion against challenger on data that is already there."""
