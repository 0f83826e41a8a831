"""Formulas on numbers; nothing else."""
