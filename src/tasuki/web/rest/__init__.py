"""REST under `/api/v1`: every verb of the command line, with the same documents, described by OpenAPI."""
