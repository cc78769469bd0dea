"""`docs/configure.md`, written from the settings' classes (`python -m deploy.configure`). A test holds it to that."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.registry import SERVICES
from shared.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configure.md"
_HEAD = """# Settings

Every setting is an environment variable; nothing is read from anywhere else. A value that cannot be is refused when a
process starts, with its name. Lists and objects are written as JSON. What is marked *secret* belongs in a secret store,
not in a file that is kept with others; none has a default.

<!-- Written by `python -m deploy.configure` from the settings' classes; changes here are lost. -->
"""
_TAIL = """
## For tools

| Setting | Meaning |
|---|---|
| `PORT` | where `redress up` listens, and where tools look for it (8000) |
| `REDRESS_KEY` | the key that `redress import` posts with |
| `REDRESS_KAFKA_LIBS` | where the jars of the local Kafka are (`make up-cluster`, tests) |
| `REDRESS_PROMTOOL` | where promtool is, or is to be put (tests) |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL` | for `REDRESS_ATTACHMENTS=s3://...`; the last for stores other than Amazon's |
"""  # noqa: E501
# Where the class itself says nothing.
_WORDS = {
    "languages": "In which languages people are spoken to, the preferred one first",
    "oidc_audience": "For whom staff tokens must be issued",
    "oidc_roles_claim": "The claim of a staff token that holds the roles",
    "oidc_branch_claim": "The claim that holds the branch",
    "oidc_departments_claim": "The claim that holds the departments",
    "oidc_scopes": "What is asked for at the directory when somebody signs in",
    "log_level": "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
    "smtp_port": "The mail server's port",
    "smtp_tls": "How mail is sent: `starttls`, `implicit` or `none`",
    "smtp_username": "As whom; unset: without signing in",
    "smtp_password": "The mail server's password",
    "sms_sender": "From whom text messages come",
    "mail_protocol": "`smtp` or `lmtp`",
    **{
        f"database_{name}": f"`postgresql+asyncpg://user:password@host/database`; unset: `{name}.db` in the home"
        for name in SERVICES
    },
}
_SECRET = {f"database_{name}" for name in SERVICES}  # a password is in it


def page() -> str:
    """The page as it should be. Raises LookupError for a setting that nothing is said of."""
    parts = [_HEAD, "## Every service\n", _table(Settings.model_fields)]
    for name, service in SERVICES.items():
        fields: dict[str, FieldInfo] = service.settings.model_fields  # type: ignore[attr-defined]
        own = {key: field for key, field in fields.items() if key not in Settings.model_fields}
        parts += [f"\n## {name}\n", _table(own)]
    return "\n".join(parts) + "\n" + _TAIL


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for key, field in fields.items():
        words = field.description or _WORDS.get(key)
        if not words:
            raise LookupError(f"say what REDRESS_{key.upper()} means: a description in its Field(...)")
        secret = "*secret*; " if SecretStr.__name__ in str(field.annotation) or key in _SECRET else ""
        rows.append(f"| `REDRESS_{key.upper()}` | {_shown(field.default)} | {secret}{words} |")
    return "\n".join(rows)


def _shown(default: Any) -> str:
    if default in (None, PydanticUndefined, ()) or default == {}:
        return ""
    if isinstance(default, Path):
        root = PAGE.parent.parent
        return f"`{default.relative_to(root) if default.is_relative_to(root) else default}`"
    if isinstance(default, str):
        return f"`{default}`"
    return f"`{json.dumps(default)}`"


if __name__ == "__main__":
    PAGE.write_text(page())
