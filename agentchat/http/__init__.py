"""The HTTP side: the page, REST and event streams.

A request goes from server.py (connections) and handler.py (one request) to the resource that answers it; api.py lists
the resources.
"""
