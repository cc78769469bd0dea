"""Adapters to what lies outside: words, chats, mail and webhooks; each raises no errors but says how it fared."""
