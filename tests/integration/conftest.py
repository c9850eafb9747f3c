"""What integration tests share."""

from tests.mockprovider import mock, mock_url
from tests.prefect_fixtures import prefect_url
from tests.sites import site

__all__ = ["mock", "mock_url", "prefect_url", "site"]
