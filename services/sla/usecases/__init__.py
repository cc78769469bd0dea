"""What the service does: `casework` hears what happened, `engine` does what is due, `views` answers questions."""
