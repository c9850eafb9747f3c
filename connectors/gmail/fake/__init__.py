"""A stand-in for Gmail on loopback: as stateful as it is, and as unkind as it is told to be."""
