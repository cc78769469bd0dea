"""The shapes of intake's public face."""
