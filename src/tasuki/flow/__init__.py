"""The relay: stages, formations, contracts, evidence, and the fold from events to an idea's state."""
