"""Where things are kept, as the environment says it."""

from pathlib import Path
from typing import Annotated

from platformdirs import user_data_path
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.errors import SecretKeyMissing
from storage.sealed import Keyring

KEY_FILE = ".secret-keys"
DATABASE_FILE = "headwater.db"


class StorageSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HEADWATER_", frozen=True, env_ignore_empty=True)

    data_dir: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = Field(
        default_factory=lambda: user_data_path("headwater", appauthor=False)
    )
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    secret_keys: SecretStr | None = None
    """Keys that credentials are sealed with, by commas: the first one seals, all of them open."""

    def sql_url(self) -> str:
        """The database's URL with the driver we use. It bears the password: do not show it."""
        # Commands that only ask the api need no SQLAlchemy, which takes a good part of a second.
        from storage.urls import normalised, of_file  # noqa: PLC0415

        if self.database_url is not None:
            return normalised(self.database_url.get_secret_value())
        return of_file(self.data_dir / DATABASE_FILE)

    def keyring(self) -> Keyring:
        """The keys that were given; with an embedded database, else those in the data directory.

        Raises ``SecretKeyMissing`` if there are none, or if they are no keys.
        """
        if self.secret_keys is not None:
            return Keyring.parse(self.secret_keys.get_secret_value())
        if self.database_url is None:
            return Keyring.kept_in(self.data_dir / KEY_FILE)
        raise SecretKeyMissing(
            "HEADWATER_SECRET_KEYS is not set, and the database is shared with other machines."
        )

    def keyring_there(self) -> Keyring | None:
        """The same, and none is made: None where there is none yet."""
        embedded = self.database_url is None and (self.data_dir / KEY_FILE).exists()
        return self.keyring() if embedded or self.secret_keys is not None else None
