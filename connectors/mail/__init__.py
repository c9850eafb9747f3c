"""A mail as text, for every inbox: what it says, without what only looks as if it were said."""
