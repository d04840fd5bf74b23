"""Backups of a data folder: made while the server runs, checked before they are used, put back."""
