"""One function per user verb, one transaction each; the doors share them."""
