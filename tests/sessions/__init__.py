"""Sessions without sockets, driven step by step."""
