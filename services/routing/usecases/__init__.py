"""What routing does, one module a subject."""
