"""Cases: what a concluded idea leaves behind."""
