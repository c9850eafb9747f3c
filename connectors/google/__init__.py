"""What the connectors of Google's services share: asking by Google's client."""
