"""Models: the one file that defines one, its features, training and artifact format."""
