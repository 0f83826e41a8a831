"""Which model deserves an A/B test: champion against challenger on rows that are already there."""
