"""The schema of the database, as the steps from each version to the next."""

from __future__ import annotations

MIGRATIONS = [
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, created TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE events (
        session TEXT NOT NULL, seq INTEGER NOT NULL, ts TEXT NOT NULL, turn INTEGER NOT NULL,
        type TEXT NOT NULL, body TEXT NOT NULL, key TEXT,
        PRIMARY KEY (session, seq)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX event_keys ON events (session, key) WHERE key IS NOT NULL;
    CREATE INDEX event_turns ON events (session, turn, type)
        WHERE type IN ('user_message', 'turn_started', 'turn_completed');
    CREATE TABLE memories (
        session TEXT NOT NULL, turn INTEGER NOT NULL, memory TEXT NOT NULL,
        PRIMARY KEY (session, turn)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE sessions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT '';
    ALTER TABLE sessions ADD COLUMN updated TEXT NOT NULL DEFAULT '';
    UPDATE sessions SET
        number = (SELECT count(*) FROM sessions AS other WHERE other.id <= sessions.id),
        updated = coalesce((SELECT ts FROM events WHERE session = sessions.id ORDER BY seq DESC LIMIT 1), created);
    CREATE UNIQUE INDEX session_numbers ON sessions (number);
    CREATE INDEX newest_sessions ON sessions (updated, id);
    CREATE INDEX event_marks ON events (session, seq) WHERE type IN ('rewind', 'input_request', 'input_response');
    CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "unicode61 remove_diacritics 2");
    INSERT INTO words (rowid, text)
        SELECT (number << 24) + seq, json_extract(body, '$.text')
        FROM events JOIN sessions ON sessions.id = session WHERE type = 'user_message'
        UNION ALL
        SELECT (number << 24) + seq, json_extract(body, '$.content')
        FROM events JOIN sessions ON sessions.id = session
        WHERE type = 'text' AND json_type(body, '$.message_id') = 'text' AND json_type(body, '$.content') = 'text';
    """,
    """
    ALTER TABLE sessions ADD COLUMN held TEXT NOT NULL DEFAULT '';
    CREATE INDEX held_sessions ON sessions (held) WHERE held <> '';
    DROP INDEX event_marks;
    CREATE INDEX event_marks ON events (session, seq) WHERE type IN
        ('rewind', 'input_request', 'input_response', 'handoff', 'task_created', 'task_updated');
    CREATE TABLE notes (
        user TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, updated TEXT NOT NULL,
        PRIMARY KEY (user, key)
    ) WITHOUT ROWID;
    """,
    # Each start of a server begins an epoch. `session_starts` has the first event that each wrote into a session.
    """
    CREATE TABLE starts (number INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE);
    CREATE TABLE session_starts (
        session TEXT NOT NULL, start INTEGER NOT NULL, first_seq INTEGER NOT NULL,
        PRIMARY KEY (session, start)
    ) WITHOUT ROWID;
    ALTER TABLE sessions ADD COLUMN start INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE commands (
        scope TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, result TEXT NOT NULL, expires TEXT NOT NULL,
        PRIMARY KEY (scope, id)
    ) WITHOUT ROWID;
    CREATE INDEX passing_commands ON commands (expires) WHERE expires <> '';
    """,
    """
    ALTER TABLE sessions ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    CREATE INDEX session_owners ON sessions (owner) WHERE owner <> '';
    """,
    """
    ALTER TABLE sessions ADD COLUMN holder TEXT NOT NULL DEFAULT '';
    ALTER TABLE sessions ADD COLUMN asks TEXT NOT NULL DEFAULT '';
    CREATE INDEX asking_sessions ON sessions (asks) WHERE asks <> '';
    DROP INDEX session_owners;
    CREATE INDEX session_owners ON sessions (owner, updated, id);
    CREATE TABLE members (
        session TEXT NOT NULL, user TEXT NOT NULL, role TEXT NOT NULL, invitation TEXT NOT NULL, since TEXT NOT NULL,
        expires TEXT NOT NULL, PRIMARY KEY (session, user)
    ) WITHOUT ROWID;
    CREATE INDEX member_users ON members (user);
    CREATE INDEX member_ends ON members (expires);
    CREATE TABLE invitations (
        id TEXT PRIMARY KEY, session TEXT NOT NULL, role TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE
    ) WITHOUT ROWID;
    CREATE INDEX session_invitations ON invitations (session);
    CREATE TABLE usage (
        day TEXT NOT NULL, user TEXT NOT NULL, agent TEXT NOT NULL, turns INTEGER NOT NULL, tokens INTEGER NOT NULL,
        cost REAL NOT NULL, PRIMARY KEY (day, user, agent)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE commands ADD COLUMN person TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE sessions ADD COLUMN folder TEXT NOT NULL DEFAULT '';
    ALTER TABLE sessions ADD COLUMN called TEXT NOT NULL DEFAULT '';
    CREATE INDEX shared_folders ON sessions (folder, number) WHERE folder <> '';
    """,
]
