"""Adapters to what lies outside: who has subscribed to notices, and how each kind of message is sent."""
