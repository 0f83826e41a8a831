"""Reads a workspace's files and opens what an action needs."""
