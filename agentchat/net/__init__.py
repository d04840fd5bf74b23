"""The listening sockets, and which web pages may connect."""
