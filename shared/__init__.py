"""What the four services share: wire contracts, transactions, messaging, web, security. Imports no service."""

__version__ = "0.1.0"
