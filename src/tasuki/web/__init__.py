"""The pages people work in, and REST."""
