"""Everything by which callers are known: accounts, logins, tokens, tickets. Nothing here knows of HTTP or sessions."""
