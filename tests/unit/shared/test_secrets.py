"""No secret is kept in the repository, and none is compared in a way that tells how much of a guess is right."""

import ast
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHAPES = {
    # what must be in a text for the pattern to be worth a search: kind, pattern
    "PRIVATE KEY": ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}"),
    "rdk_": ("our own key", r"rdk_[0-9a-f]{10}_[A-Za-z0-9_-]{43}"),
    "AKIA": ("cloud access key", r"\bAKIA[A-Z0-9]{16}\b"),
    "ghp_": ("repository token", r"\bghp_[A-Za-z0-9]{36}"),
    "github_pat_": ("repository token", r"\bgithub_pat_\w{60,}"),
    "glpat-": ("repository token", r"\bglpat-[\w-]{20}"),
    "xox": ("chat token", r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "sk_live_": ("payment key", r"\bsk_live_[A-Za-z0-9]{20,}"),
    "AIza": ("cloud API key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "eyJ": ("signed token", r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "whsec_": ("webhook secret", r"\bwhsec_[A-Za-z0-9+/=]{32,}"),
    "://": ("password in an address", r"://[^\s:@/'\"{}$<>]+:[^\s:@/'\"{}$<>]{6,}@"),
}
RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
UNREAD = {".lock", ".npz", ".png", ".jpg", ".svg", ".pdf", ".xlsx", ".woff2"}
"""Kinds of files that are no text, or hold nothing but digests of public packages."""
ALLOWED = {
    ("README.md", "://user:password@"): "how an address is written",
    ("deploy/configure.py", "://user:password@"): "the same",
    ("docs/configure.md", "://user:password@"): "the same",
    ("services/intake/schemas/attachment.py", "Nr_X7--98sV7"): "the example of a ticket in the API's description",
    ("tests/component/intake/test_receive.py", "4bf92f3577b34da6"): "the example trace id of the W3C's recommendation",
    ("tests/component/shared/test_trace_export.py", "4bf92f3577b34da6"): "the same",
    ("tests/component/shared/test_web.py", "4bf92f3577b34da6"): "the same",
    ("tests/contract/golden/com.redress.complaint.received.v1.json", "0123456789abcdef"): "counted up by hand",
    ("tests/contract/test_golden_events.py", "0123456789abcdef"): "counted up by hand",
    ("tests/unit/intake/test_webhook.py", "://user:secret@"): "an address that must be refused",
}
"""By file and beginning, what looks like a secret and why it is none."""


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def _is_random(text: str) -> bool:
    """Whether `text` looks drawn at random rather than written: all kinds of characters, and hardly any twice."""
    counts = Counter(text)
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        return entropy > 3.1
    kinds = sum(bool(re.search(kind, text)) for kind in (r"[a-z]", r"[A-Z]", r"[0-9]"))
    return kinds == 3 and entropy > 4.3


def _findings(text: str) -> Iterator[tuple[str, str]]:
    for needle, (kind, shape) in SHAPES.items():
        if needle in text:
            for found in re.finditer(shape, text):
                yield kind, found.group()
    for found in RANDOM.finditer(text):
        if _is_random(found.group()):
            yield "random text", found.group()


def test_no_file_that_is_tracked_holds_a_secret() -> None:
    unused = set(ALLOWED)
    wrong = []
    for name in _tracked():
        path = ROOT / name
        if path.suffix in UNREAD or path == Path(__file__):  # here are the samples
            continue
        for kind, what in _findings(path.read_text(errors="replace")):
            known = next(((f, b) for f, b in ALLOWED if f == name and what.startswith(b)), None)
            if known is None:
                wrong.append(f"{name}: {kind}: {what[:12]}...")
            else:
                unused.discard(known)
    assert not wrong, "\n".join(wrong)
    assert not unused, f"no longer there: {unused}"


@pytest.mark.parametrize(
    "secret",
    [
        "rdk_0123456789_" + "aB3" * 14 + "x",
        "-----BEGIN EC PRIVATE " + "KEY-----\nMHcCAQEEIGNvbXBsZXRlbHlpbnZlbnRlZA==",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "postgresql:" + "//redress:hunter22@db/intake",
        "k1:" + "q8Zt3mXw9LrB1yVhC5nJ7dPfS2gKuE4a" + "R6oT0iWxYvM=",
        "d41d8cd98f00b204" + "e9800998ecf8427e",
    ],
)
def test_the_search_finds_what_it_looks_for(secret: str) -> None:
    assert list(_findings(f'x = "{secret}"'))


# --- comparing ---

SECRET = re.compile(r"(?i)(secret|token|signature|digest|password|hmac|\bmac\b|csrf|nonce|verifier|hash)")
HARMLESS = {
    ("shared/audit.py", "found.hash(seq, self.head) != row['hash']"): "both are in what is verified",
    ("deploy/backup/manifest.py", "digest != expected.lower()"): "the digest of a backup, which is no secret",
    ("deploy/backup/manifest.py", "digest_of(folder / name) != hash"): "the same of one file",
    ("services/reporting/store/surveys.py", "SURVEY.c.token == token"): "looked up by its index; the link is public",
    ("services/reporting/usecases/publishing.py", "seen != made.digest"): "which figures somebody has looked at",
    ("services/sla/store/notices.py", "NOTICE.c.digest_id == digest_id"): "a digest of notices, no secret",
    ("services/sla/store/notices.py", "NOTICE.c.digest_id == bindparam('its_id')"): "the same",
    ("services/sla/store/notices.py", "c['kind'] == DIGEST"): "the same",
    ("services/sla/usecases/sending.py", "row.kind == DIGEST"): "the same",
    ("services/sla/usecases/feeds.py", "FEED.c.hash == _hash(secret)"): "looked up by the hash of 256 random bits",
    ("deploy/infra/install.py", "(folder / _JARS_OF).read_text() == _pom_digest()"): "whether our own files changed",
}
"""By file and expression, what is compared plainly and why the time that it takes tells nothing."""


def _comparisons() -> Iterator[tuple[str, ast.Compare]]:
    for package in ("shared", "services", "deploy"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            text = path.read_text()
            if not any(SECRET.search(line) for line in text.splitlines() if "==" in line or "!=" in line):
                continue  # reading the others as Python would take most of the time
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                    yield name, node


def _named(node: ast.expr) -> str:
    """The last name in an expression: `row.hash`, `digest(...)`, `row["hash"]`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner):
            return _named(inner)
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case _:
            return ""


def test_secrets_are_compared_in_constant_time() -> None:
    unused = set(HARMLESS)
    wrong = []
    for name, node in _comparisons():
        sides = (node.left, *node.comparators)
        constant = any(isinstance(side, ast.Constant) for side in sides)  # a code, a length, a kind
        if constant or not any(SECRET.search(_named(side)) for side in sides):
            continue
        text = ast.unparse(node)
        if (name, text) in HARMLESS:
            unused.discard((name, text))
        else:
            wrong.append(f"{name}: {text}: use hmac.compare_digest")
    assert not wrong, "\n".join(wrong)
    assert not unused, f"no longer there: {unused}"


def test_what_checks_a_secret_uses_compare_digest() -> None:
    """The places that decide by a secret that somebody sent: each calls it."""
    for name in (
        "shared/security/keys.py",  # keys
        "shared/security/crypto.py",  # tracking tokens
        "services/intake/usecases/attachment.py",  # links to files
        "shared/web/access.py",  # tokens of forms
        "shared/security/signin.py",  # state and nonce of signing in
    ):
        calls = [n for n in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(n, ast.Call)]
        assert any(_named(call.func) == "compare_digest" for call in calls), name
