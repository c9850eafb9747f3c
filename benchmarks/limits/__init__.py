"""The limiter against what one would use instead, six processes on one key of the mock provider."""
