"""The WebSocket side: the commands that clients send, and the frames they get."""
