"""The WebSocket protocol as Autobahn's test suite sees it: `make autobahn`."""
