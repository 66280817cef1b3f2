"""The schema of a label store. `votes` is append-only; triggers maintain two tables derived from it.

`standing` holds the effective votes and skips, and `tally` the number of raters' first votes per item.
"""

APPLICATION_ID = 0x50524C42
"""Marks the SQLite file as a label store ("PRLB")."""
VERSION = 1

SCHEMA = """
CREATE TABLE round (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE items (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, item TEXT NOT NULL
) STRICT;
CREATE TABLE tally (
    position INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, gold INTEGER NOT NULL, votes INTEGER NOT NULL
) STRICT;
CREATE TABLE raters (name TEXT PRIMARY KEY, role TEXT NOT NULL, token TEXT NOT NULL UNIQUE, added TEXT NOT NULL) STRICT;
CREATE TABLE votes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    item TEXT NOT NULL REFERENCES items (id),
    rater TEXT NOT NULL REFERENCES raters (name),
    role TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    choice TEXT,
    side TEXT NOT NULL,
    scores TEXT NOT NULL,
    note TEXT NOT NULL,
    edited TEXT,
    seconds REAL NOT NULL,
    time TEXT NOT NULL,
    versions TEXT NOT NULL,
    undoes INTEGER UNIQUE REFERENCES votes (seq)
) STRICT;
CREATE TABLE standing (
    item TEXT NOT NULL, repeat INTEGER NOT NULL, rater TEXT NOT NULL, role TEXT NOT NULL, choice TEXT,
    seq INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (item, repeat, rater)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_of_rater ON standing (rater, repeat);
CREATE INDEX votes_of_rater ON votes (rater, seq);

CREATE TRIGGER votes_are_kept BEFORE UPDATE ON votes BEGIN SELECT raise(ABORT, 'votes are never changed'); END;
CREATE TRIGGER votes_stay BEFORE DELETE ON votes BEGIN SELECT raise(ABORT, 'votes are never deleted'); END;
CREATE TRIGGER items_are_kept BEFORE UPDATE ON items BEGIN SELECT raise(ABORT, 'items are never changed'); END;
CREATE TRIGGER items_stay BEFORE DELETE ON items BEGIN SELECT raise(ABORT, 'items are never deleted'); END;
CREATE TRIGGER a_vote_stands AFTER INSERT ON votes WHEN new.undoes IS NULL BEGIN
    INSERT INTO standing VALUES (new.item, new.repeat, new.rater, new.role, new.choice, new.seq);
END;
CREATE TRIGGER an_undone_vote_falls AFTER INSERT ON votes WHEN new.undoes IS NOT NULL BEGIN
    DELETE FROM standing WHERE seq = new.undoes;
END;
CREATE TRIGGER a_standing_vote_counts AFTER INSERT ON standing
WHEN new.role = 'rater' AND new.repeat = 0 AND new.choice IS NOT NULL BEGIN
    UPDATE tally SET votes = votes + 1 WHERE item = new.item;
END;
CREATE TRIGGER a_fallen_vote_does_not AFTER DELETE ON standing
WHEN old.role = 'rater' AND old.repeat = 0 AND old.choice IS NOT NULL BEGIN
    UPDATE tally SET votes = votes - 1 WHERE item = old.item;
END;
"""
