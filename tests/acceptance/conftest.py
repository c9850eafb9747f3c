"""What acceptance tests share."""

from tests.mockprovider import mock, mock_url

__all__ = ["mock", "mock_url"]
