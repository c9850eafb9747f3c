"""The fake's things as GitHub's REST describes them: every field that its description requires."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from connectors.github.fake.world import Comment, Release, Repo, Talk, Thread
from connectors.github.protocol import stamp

_HTML = "https://github.com"
_USER_URLS = (
    "followers", "following", "gists", "starred", "subscriptions", "organizations", "repos",
    "events", "received_events",
)  # fmt: skip
_REPO_URLS = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare",
    "contents", "contributors", "deployments", "downloads", "events", "forks", "git_commits",
    "git_refs", "git_tags", "hooks", "issue_comment", "issue_events", "issues", "keys", "labels",
    "languages", "merges", "milestones", "notifications", "pulls", "releases", "stargazers",
    "statuses", "subscribers", "subscription", "tags", "teams", "trees",
)  # fmt: skip

_ABOUT_REPOSITORIES = {
    "description": None,
    "has_issues": True,
    "has_downloads": False,
    "mirror_url": None,
    "homepage": None,
    "language": None,
    "default_branch": "main",
    "archived": False,
    "disabled": False,
    "license": None,
    "pushed_at": "2026-03-01T00:00:00Z",
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2026-03-01T00:00:00Z",
}


def user(api: str, login: str) -> dict[str, Any]:
    url = f"{api}/users/{login}"
    return {
        "login": login,
        "id": sum(login.encode()),
        "node_id": f"U_{login}",
        "avatar_url": f"{_HTML}/{login}.png",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{_HTML}/{login}",
        "type": "User",
        "site_admin": False,
        **{f"{name}_url": f"{url}/{name}" for name in _USER_URLS},
    }


def account(api: str, login: str) -> dict[str, Any]:
    dates = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    nothing = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
    none = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    return {**user(api, login), **dates, **nothing, **none, "user_view_type": "public"}


def repository(api: str, repo: Repo) -> dict[str, Any]:
    owner, name = repo.full_name.split("/")
    url, page = f"{api}/repos/{repo.full_name}", f"{_HTML}/{repo.full_name}"
    issues = sum(talk.state == "open" for talk in repo.talks.values())
    flags = dict.fromkeys(("fork", "has_projects", "has_wiki", "has_pages"), False)
    counts = dict.fromkeys(
        ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count"), 0
    )
    return {
        "id": repo.id,
        "node_id": f"R_{repo.id}",
        "name": name,
        "full_name": repo.full_name,
        "owner": user(api, owner),
        "private": repo.private,
        "html_url": page,
        "url": url,
        **{f"{each}_url": f"{url}/{each}" for each in _REPO_URLS},
        **flags,
        **counts,
        **_ABOUT_REPOSITORIES,
        "has_discussions": repo.has_discussions,
        "clone_url": f"{page}.git",
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "svn_url": page,
        "size": sum(len(content) for _, content in repo.files.values()) // 1024,
        "open_issues": issues,
        "open_issues_count": issues,
    }


def full_repository(api: str, repo: Repo) -> dict[str, Any]:
    return {**repository(api, repo), "network_count": 0, "subscribers_count": 0}


def issue(api: str, repo: Repo, talk: Talk) -> dict[str, Any]:
    kind = "pull" if talk.is_pull else "issues"
    url = f"{api}/repos/{repo.full_name}/issues/{talk.number}"
    page = f"{_HTML}/{repo.full_name}/{kind}/{talk.number}"
    told = {
        "id": talk.number,
        "node_id": f"I_{talk.number}",
        "url": url,
        "repository_url": f"{api}/repos/{repo.full_name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": page,
        "number": talk.number,
        "state": talk.state,
        "title": talk.title,
        "body": talk.body,
        "user": user(api, talk.author),
        "labels": [{"name": label} for label in talk.labels],
        "assignee": None,
        "milestone": None,
        "locked": False,
        "comments": len(talk.comments),
        "closed_at": None if talk.state == "open" else stamp(talk.updated),
        "created_at": stamp(talk.created),
        "updated_at": stamp(talk.updated),
        "author_association": "OWNER",
    }
    if talk.is_pull:
        links = {"diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "html_url": page}
        pull = f"{api}/repos/{repo.full_name}/pulls/{talk.number}"
        told["pull_request"] = {"url": pull, "merged_at": None, **links}
    return told


def issue_comment(api: str, repo: Repo, talk: Talk, comment: Comment) -> dict[str, Any]:
    about = f"{api}/repos/{repo.full_name}/issues/{talk.number}"
    return {
        "id": comment.id,
        "node_id": f"IC_{comment.id}",
        "url": f"{api}/repos/{repo.full_name}/issues/comments/{comment.id}",
        "html_url": f"{_HTML}/{repo.full_name}/issues/{talk.number}#issuecomment-{comment.id}",
        "issue_url": about,
        "body": comment.body,
        "user": user(api, comment.author),
        "created_at": stamp(comment.created),
        "updated_at": stamp(comment.updated),
        "author_association": "CONTRIBUTOR",
    }


def review_comment(
    api: str, repo: Repo, talk: Talk, thread: Thread, comment: Comment
) -> dict[str, Any]:
    about = f"{api}/repos/{repo.full_name}/pulls/{talk.number}"
    page = f"{_HTML}/{repo.full_name}/pull/{talk.number}#discussion_r{comment.id}"
    url = f"{api}/repos/{repo.full_name}/pulls/comments/{comment.id}"
    return {
        "id": comment.id,
        "node_id": f"PRRC_{comment.id}",
        "url": url,
        "html_url": page,
        "pull_request_url": about,
        "pull_request_review_id": None,
        "diff_hunk": comment.hunk,
        "path": thread.path,
        "commit_id": repo.head or "",
        "original_commit_id": repo.head or "",
        "body": comment.body,
        "user": user(api, comment.author),
        "created_at": stamp(comment.created),
        "updated_at": stamp(comment.updated),
        "author_association": "CONTRIBUTOR",
        "_links": {
            "self": {"href": url},
            "html": {"href": page},
            "pull_request": {"href": about},
        },
    }


def release(api: str, repo: Repo, one: Release) -> dict[str, Any]:
    url = f"{api}/repos/{repo.full_name}/releases/{one.id}"
    return {
        "id": one.id,
        "node_id": f"RE_{one.id}",
        "url": url,
        "html_url": f"{_HTML}/{repo.full_name}/releases/tag/{one.tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": None,
        "zipball_url": None,
        "tag_name": one.tag,
        "target_commitish": "main",
        "name": one.tag,
        "body": one.body,
        "draft": False,
        "prerelease": False,
        "author": user(api, one.author),
        "assets": [],
        "created_at": stamp(one.created),
        "published_at": stamp(one.created),
    }


def tree(api: str, repo: Repo, sha: str, entries: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    url = f"{api}/repos/{repo.full_name}/git"
    listed = []
    for path, mode, name in entries:
        kind = {"040000": "tree", "160000": "commit"}.get(mode, "blob")
        told = {
            "path": path,
            "mode": mode,
            "type": kind,
            "sha": name,
            "url": f"{url}/{kind}s/{name}",
        }
        if kind == "blob":
            told["size"] = len(repo.blobs[name])  # type: ignore[assignment]  # the one number
        listed.append(told)
    return {"sha": sha, "url": f"{url}/trees/{sha}", "tree": listed, "truncated": False}


def blob(api: str, repo: Repo, sha: str) -> dict[str, Any]:
    content = repo.blobs[sha]
    return {
        "sha": sha,
        "node_id": f"B_{sha}",
        "size": len(content),
        "url": f"{api}/repos/{repo.full_name}/git/blobs/{sha}",
        "content": b64encode(content).decode(),
        "encoding": "base64",
    }
