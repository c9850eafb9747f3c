"""What integration tests share."""

from tests.prefect_fixtures import prefect_url

__all__ = ["prefect_url"]
