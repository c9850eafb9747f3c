"""A stand-in for Google Drive on loopback: stateful, and as unkind as it is told to be."""
