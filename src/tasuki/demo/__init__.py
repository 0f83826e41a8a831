"""The tour of the whole relay: a script that calls the same actions as its users, on a simulated world or on real logs."""
