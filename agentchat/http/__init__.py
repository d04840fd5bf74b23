"""The HTTP side: the page, REST, Server-Sent Events. server.py listens, api.py says what there is to ask for."""
