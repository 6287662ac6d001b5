/** "BSLT": tells a ledger from any other SQLite file (the header's application id). */
export const applicationId = 0x42534c54
/** Kept as `user_version`. A file with a higher one was written by a newer Basalt. */
export const schemaVersion = 1

/**
 * `events` is the ledger. The rows alone are the Merkle tree too: `node_hashes` are the inner nodes that the
 * event's leaf completed, level 1 first. `heads` records, in the same transaction, where each commit ended, so
 * that a ledger that was cut back does not look like a shorter one.
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
  data TEXT NOT NULL,
  UNIQUE (stream, version)
) STRICT`,
  `CREATE TABLE heads (
  number INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  root_hash BLOB NOT NULL
) STRICT`,
  ...['events', 'heads'].flatMap((table) =>
    ['UPDATE', 'DELETE'].map(
      (verb) => `CREATE TRIGGER ${table}_no_${verb.toLowerCase()} BEFORE ${verb} ON ${table}
BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END`,
    ),
  ),
  `CREATE TRIGGER events_at_the_end BEFORE INSERT ON events
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM events)
  OR NEW.version <> (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream)
BEGIN SELECT RAISE(ABORT, 'events are appended at the end only'); END`,
  `CREATE TRIGGER heads_at_the_end BEFORE INSERT ON heads
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM heads)
  OR NEW.size <> (SELECT max(position) FROM events)
BEGIN SELECT RAISE(ABORT, 'heads are appended at the end only'); END`,
]
