"""PDF and Office files to text, wherever they come from."""
