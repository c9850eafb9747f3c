"""Asking an owner's provider for a grant, and keeping it alive: OAuth 2.0 as RFC 9700 wants it."""
