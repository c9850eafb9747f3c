"""What each command of ``headwater`` does: one module a command, each with a ``run``."""
