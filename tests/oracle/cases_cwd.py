"""The working directory and git, of session_meta."""

from .cases_build import Case, Json, case, meta, turn

CWD = "rollouts.md: cwd"
GIT = "rollouts.md: git_sha, git_branch, git_origin_url"
SHA = "0123456789abcdef0123456789abcdef01234567"

CWDS: dict[str, str] = {
    "plain": "/home/me/src",
    "root": "/",
    "slashes": "//",
    "slashes-lead": "//srv/share",
    "slashes-inside": "/a//b",
    "trailing": "/a/b/",
    "trailing-two": "/a/b//",
    "dot": "/a/./b/.",
    "dotdot": "/a/../b/../c",
    "dotdot-root": "/../../a",
    "relative": "a/b",
    "relative-dot": "./a",
    "relative-dotdot": "../a/..",
    "dot-only": ".",
    "dotdot-only": "..",
    "empty": "",
    "space": " /a ",
    "blank": " ",
    "home": "~",
    "home-under": "~/src",
    "unicode": "/é/日本/😀",
    "nfd": "/e\u0301",
    "control": "/a\nb\t\u0001",
    "nul": "/a\u0000b",
    "windows": "C:\\Users\\me",
    "windows-unc": "\\\\server\\share",
    "windows-long": "\\\\?\\C:\\me",
    "uri": "file:///a/b",
    "long": "/" + "a/" * 600,
    "exists": "/usr/lib/../bin/",
    "exists-dot": "/usr/./bin",
    "exists-slash": "/tmp/",
}
GITS: dict[str, Json] = {
    "full": {"commit_hash": SHA, "branch": "main", "repository_url": "git@example.com:a/b.git"},
    "null": None,
    "empty": {},
    "nulls": {"commit_hash": None, "branch": None, "repository_url": None},
    "sha": {"commit_hash": SHA},
    "branch": {"branch": "feature/é"},
    "url": {"repository_url": "https://user:secret@example.com/a"},
    "sha-short": {"commit_hash": "abc123"},
    "sha-upper": {"commit_hash": SHA.upper()},
    "sha-word": {"commit_hash": "not a hash"},
    "blank": {"commit_hash": "", "branch": "", "repository_url": ""},
    "unknown-key": {"branch": "main", "dirty": True},
    "number": {"branch": 1},
    "string": "main",
    "list": [SHA, "main", None],
}
FULL = GITS["full"]

CASES: tuple[Case, ...] = (
    *(case(f"cwd-{name}", CWD, meta(cwd=path)) for name, path in CWDS.items()),
    *(case(f"cwd-turn-{name}", CWD, meta(cwd=""), turn(cwd=path)) for name, path in CWDS.items()),
    case("cwd-later-empty", CWD, meta(), meta(cwd=""), turn(cwd="/turn")),
    case("cwd-turn-before", CWD, turn(cwd="/turn"), meta(cwd="")),
    case("cwd-turn-before-meta", CWD, turn(cwd="/turn"), meta(cwd="/meta")),
    case("cwd-turn-headerless", CWD, turn(cwd="/turn"), turn(cwd="/later")),
    *(case(f"git-{name}", GIT, meta(git=git)) for name, git in GITS.items()),
    case("git-later", GIT, meta(git=FULL), meta(git={"branch": "later"})),
    case("git-later-null", GIT, meta(git=FULL), meta(git=None)),
    case("git-later-absent", GIT, meta(git=FULL), meta()),
    case("git-later-only", GIT, meta(), meta(git=FULL)),
    case("git-other-id", GIT, meta(), meta(id="@other@", git=FULL)),
)
