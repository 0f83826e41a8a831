"""Metrics as frozen values, compiled to one SQL tree per table."""
