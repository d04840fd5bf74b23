"""The listening sockets, which web pages may connect, and what each address may have."""
