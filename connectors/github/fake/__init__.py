"""A GitHub on loopback: stateful, scriptable, for tests and to try the connector on."""
