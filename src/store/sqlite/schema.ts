/** "BSLT": tells a ledger from any other SQLite file (the header's application id). */
export const applicationId = 0x42534c54
/** Kept as `user_version`. A file with another one was written by another Basalt. */
export const schemaVersion = 2

/**
 * `events` is the ledger. The rows alone are the Merkle tree too: `node_hashes` are the inner nodes that the
 * event's leaf completed, level 1 first; `root_hash` is the root of the tree up to the event. In one table: a commit
 * writes no page more than it must.
 *
 * The guards hold for whoever opens the file. Those on INSERT also stop INSERT OR REPLACE where the connection
 * does not have recursive_triggers on.
 */
export const schema: readonly string[] = [
  `CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  leaf_hash BLOB NOT NULL,
  node_hashes BLOB NOT NULL,
  root_hash BLOB NOT NULL,
  data TEXT NOT NULL,
  UNIQUE (stream, version)
) STRICT`,
  ...['UPDATE', 'DELETE'].map(
    (verb) => `CREATE TRIGGER events_no_${verb.toLowerCase()} BEFORE ${verb} ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END`,
  ),
  `CREATE TRIGGER events_at_the_end BEFORE INSERT ON events
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM events)
  OR NEW.version <> (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream)
BEGIN SELECT RAISE(ABORT, 'events are appended at the end only'); END`,
]
