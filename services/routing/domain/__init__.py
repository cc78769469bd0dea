"""What routing decides, without framework or database: the life of a case, who may take which step, whose it is."""
