"""Who may come in: accounts, sessions, tokens and the rights that go with them. Pure values and rules."""
