"""Providers on loopback that behave: stateful, scriptable, for tests and for trying things out."""
