"""Who may do what: API keys of channels and systems, staff tokens (OIDC), roles, encryption of personal data."""

from shared.security.principal import Principal, Role

__all__ = ["Principal", "Role"]
