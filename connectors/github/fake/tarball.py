"""The archive of a commit as GitHub makes it, whole or damaged."""

import gzip
import io
import tarfile

from connectors.github.fake.world import LINK, SUBMODULE, Repo

_LEVEL = 1


def archive(repo: Repo, commit: str, *, leave_out: frozenset[str] = frozenset()) -> bytes:
    """A gzipped tar of the commit; ``leave_out`` as ``export-ignore`` does."""
    return gzip.compress(_tar(repo, commit, leave_out), _LEVEL, mtime=0)


def cut_in_the_middle(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def cut_between_members(whole: bytes) -> bytes:
    """Half of the members, no end of archive, and yet a whole gzip stream."""
    tar = gzip.decompress(whole)
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        members = opened.getmembers()
    return gzip.compress(tar[: members[len(members) // 2].offset], _LEVEL, mtime=0)


def without_half(whole: bytes) -> bytes:
    """Half of the members, with an end of archive as if these were all."""
    tar = gzip.decompress(cut_between_members(whole))
    return gzip.compress(tar + bytes(1024), _LEVEL, mtime=0)


def _tar(repo: Repo, commit: str, leave_out: frozenset[str]) -> bytes:
    out = io.BytesIO()
    root = f"{repo.full_name.replace('/', '-')}-{commit[:7]}"
    headers = {"comment": commit}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        _folder(tar, f"{root}/")
        for path, mode, sha in repo.trees[repo.commits[commit]].walk():
            if path in leave_out or mode == SUBMODULE:
                continue
            if mode == "040000":
                _folder(tar, f"{root}/{path}/")
            else:
                _file(tar, f"{root}/{path}", mode, repo.blobs[sha])
    return out.getvalue()


def _folder(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    tar.addfile(info)


def _file(tar: tarfile.TarFile, name: str, mode: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    if mode == LINK:
        info.type = tarfile.SYMTYPE
        info.linkname = content.decode()
        tar.addfile(info)
        return
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
