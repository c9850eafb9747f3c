"""Files and changes in the shape that Drive gives them."""

from datetime import datetime
from typing import Any

from connectors.drive.fake.world import File, Guard, Happening, World


def file(world: World, found: File) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "mimeType": found.mime,
        "trashed": world.is_trashed(found),
        "version": str(found.version),
        "createdTime": _written(found.created),
        "modifiedTime": _written(found.modified),
        "webViewLink": f"https://drive.google.com/file/d/{found.id}/view",
        "owners": [{"displayName": "Ann"}],
        "capabilities": {"canDownload": found.guard is not Guard.DOWNLOAD},
    }
    parent = world.files.get(found.parent)
    if parent and world.visible(parent.id):
        told["parents"] = [parent.id]
    if found.drive:
        told["driveId"] = found.drive
    if not found.googles:
        told |= {"size": str(len(found.content)), "md5Checksum": found.md5}
    return told


def change(world: World, happening: Happening, log: str) -> dict[str, Any]:
    time = {"time": _written(happening.time)}
    if happening.drive:
        there = happening.drive not in world.away
        told = {"changeType": "drive", "driveId": happening.drive, "removed": not there, **time}
        name = world.drives[happening.drive]
        return {**told, "drive": {"id": happening.drive, "name": name}} if there else told
    found = world.visible(happening.file)
    removed = found is None or (found.drive != log and not world.picking)
    told = {"changeType": "file", "fileId": happening.file, "removed": removed, **time}
    return {**told, "file": file(world, found)} if found else told


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
