"""One adapter a file: a channel's own shape, and how it becomes a complaint like any other."""
