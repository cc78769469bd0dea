"""How mail is read (RFC 5322, MIME), whatever state it is in: nothing in here raises for what a mail may hold."""
