"""What reporting does, one function a verb."""
