"""A/B tests: assignment, plan, A/B 1 (check) and A/B 2 (comparison)."""
