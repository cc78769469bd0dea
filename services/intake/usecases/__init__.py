"""What intake does, one function a verb: load, decide, save, add event."""
