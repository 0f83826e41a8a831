"""What tasuki owns: the ledger of events and the artifacts of models."""
