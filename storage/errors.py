"""What can go wrong where things are kept, named by what to do about it.

StorageError
├── StorageUnavailable     a server does not answer; try again
│   ├── DatabaseUnavailable
│   │   └── DatabaseFull   there is no room; what is there can be read
│   ├── StreamUnavailable
│   └── LimitsUnavailable
├── ProviderWaiting        nobody may call this provider for a while: come back when it says
├── CallTooLarge           no window of the provider's limit holds this call: make it smaller
├── Refused                this write may not happen; stop, or read what is there
│   ├── AttemptFenced      a later attempt owns the run: stop working on it
│   ├── RunEnded           the run is over
│   ├── RunStopping        the run is being cancelled: it takes no other wish
│   ├── RunUnfinished      this needs a run that is over
│   ├── NothingFailed      there is nothing to try again
│   ├── ScheduleInvalid    no such schedule can be kept: change what it names
│   ├── DeletionDecided    what was in doubt is decided already
│   ├── NotDeployed        this needs an active version
│   ├── NotAsked           the run does not want to know that
│   ├── AnsweredAlready    the run was told something else before
│   ├── KeyReused          the idempotency key came with another request
│   ├── MilestoneAhead     earlier milestones are missing in the stream: relay them first
│   └── StreamLost         the stream is gone: seed it first
└── SetupError             this installation cannot run as it is; tell the operator what to do
    ├── DataDirectoryBusy
    ├── DataDirectoryForeign
    ├── SchemaOutdated
    ├── ServerMissing
    ├── ModelMissing
    ├── BackupUnusable      it is damaged, not whole, or no backup at all
    ├── DatabaseInUse       nothing may be restored into it now
    ├── SecretKeyMissing    credentials are sealed with a key that is not there
    └── SealBroken          what is sealed was changed, or belongs to something else
"""

from datetime import datetime


class StorageError(Exception):
    """Something about storage. ``action`` tells the operator what to do about it."""

    action = "Look at the log of the process that said it."

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.action = action or type(self).action


class StorageUnavailable(StorageError):
    """A server does not answer. Nothing is lost; it is tried again."""


class DatabaseUnavailable(StorageUnavailable):
    action = "Check that the database runs and that HEADWATER_DATABASE_URL is right."


class DatabaseFull(DatabaseUnavailable):
    action = "Free space where the database is. Runs go on by themselves when there is room."


class StreamUnavailable(StorageUnavailable):
    action = "Check that Redis runs and that HEADWATER_REDIS_URL is right."


class LimitsUnavailable(StorageUnavailable):
    action = "Check that Redis runs; until then every worker keeps to a safe share of the limit."


class ProviderWaiting(StorageError):
    """Too long to wait for with a worker in hand. ``until`` is when to try again, in UTC.

    ``reason`` is ``provider_down``, ``rate_limited`` or ``blocked`` (no credit, or the key is
    refused: it is looked at every ten minutes, and when somebody says that it is repaired).
    """

    action = "Nothing to do: the run goes on by itself."

    def __init__(self, *, until: datetime, reason: str) -> None:
        why = _WHY.get(reason, reason)
        action = "Look at the account at the provider." if reason == "blocked" else None
        super().__init__(f"{why}; it is asked again at {until:%H:%M:%S} UTC.", action=action)
        self.until = until
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return _waiting, (self.until, self.reason)


_WHY = {
    "provider_down": "The model provider does not answer",
    "rate_limited": "The model provider asked us to wait",
    "blocked": "The model provider refuses the account",
}


class CallTooLarge(StorageError):
    """``asked`` is what the provider would charge in ``dimension``, ``limit`` what it allows."""

    action = "Ask for less in one call, or raise the limit at the provider."

    def __init__(self, *, dimension: str, asked: float, limit: float) -> None:
        name = dimension.replace("_", " ")
        super().__init__(f"One call of {asked:,.0f} {name} is over the limit of {limit:,.0f}.")
        self.dimension = dimension
        self.asked = asked
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return _too_large, (self.dimension, self.asked, self.limit)


class Refused(StorageError):
    """The write may not happen."""


class AttemptFenced(Refused):
    action = "Stop: another process has taken the run over."


class RunEnded(Refused):
    action = "Nothing to do: the run is over."


class RunStopping(Refused):
    action = "Wait for its end, then start a new run."


class RunUnfinished(Refused):
    action = "Wait for its end, or cancel it."


class NothingFailed(Refused):
    action = "Nothing to do. Start a new run to look for changes."


class ScheduleInvalid(Refused):
    action = "Change what is named."


class DeletionDecided(Refused):
    action = "Nothing to do. The next listing asks again where something is in doubt."


class NotDeployed(Refused):
    action = "Activate a version first: `headwater deploy activate VERSION`."


class NotAsked(Refused):
    action = "Look at the run: while it waits for input, its reason names the question."


class AnsweredAlready(Refused):
    action = "Nothing to do: the run goes on with the first answer."


class KeyReused(Refused):
    action = "Send this request with a key of its own."


class MilestoneAhead(Refused):
    action = "Relay the earlier milestones first."


class StreamLost(Refused):
    action = "Seed the stream from SQL first."


class SetupError(StorageError):
    """The installation cannot run as it is."""


class DataDirectoryBusy(SetupError):
    action = "Use the running instance, stop it, or set HEADWATER_DATA_DIR to another directory."


class DataDirectoryForeign(SetupError):
    action = "Set HEADWATER_DATA_DIR to another directory."


class SchemaOutdated(SetupError):
    action = "Run `headwater up` or `python -m storage.migrations` to bring the schema up to date."


class ServerMissing(SetupError):
    action = "Set HEADWATER_REDIS_URL, or put redis-server or valkey-server on the PATH."


class ModelMissing(SetupError):
    action = "Install Headwater again, with everything that it depends on."


class BackupUnusable(SetupError):
    action = "Use another backup. Nothing was changed."


class DatabaseInUse(SetupError):
    action = "Stop whatever works with it, and restore again. Nothing was changed."


class SecretKeyMissing(SetupError):
    action = (
        "Set HEADWATER_SECRET_KEYS to the keys that were used so far, the newest first; "
        "`headwater keys new` makes one for a new installation."
    )


class SealBroken(SetupError):
    action = "Restore the row from a backup, or disconnect the account and connect it again."


def _waiting(until: datetime, reason: str) -> ProviderWaiting:
    return ProviderWaiting(until=until, reason=reason)


def _too_large(dimension: str, asked: float, limit: float) -> CallTooLarge:
    return CallTooLarge(dimension=dimension, asked=asked, limit=limit)
