"""Office files as the archives that they are: looked at before anything of them is unpacked."""

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from connectors.artifact import SkipReason
from connectors.documents.kinds import DocumentBroken, Unwanted

_MOST_UNPACKED = 200_000_000
_MOST_MEMBERS = 10_000
_ENCRYPTED_FLAG = 0x1
# [MS-OFFCRYPTO] 2.3: what is encrypted is a stream of this name in the container of older formats.
_CONTAINER = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
PASSWORD = Unwanted(SkipReason.ENCRYPTED, "it asks for a password")
_OLD = Unwanted(SkipReason.BINARY, "of an older format than its name says: save it anew")
_BOMB = Unwanted(SkipReason.TOO_LARGE, "it would unpack to far more than a document has")


def objection(data: bytes) -> Unwanted | None:
    """Why it should not be opened. Raises ``DocumentBroken``."""
    if data.startswith(_CONTAINER):
        return PASSWORD if _ENCRYPTED_STREAM in data else _OLD
    try:
        with ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except (BadZipFile, NotImplementedError) as error:
        raise DocumentBroken("it is no archive, as Office files are") from error
    if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
        return PASSWORD
    unpacked = sum(member.file_size for member in members)
    return _BOMB if unpacked > _MOST_UNPACKED or len(members) > _MOST_MEMBERS else None
