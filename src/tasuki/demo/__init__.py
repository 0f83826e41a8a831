"""The tour of the whole relay: it calls the same actions as users do, on a simulated world or on real logs."""
