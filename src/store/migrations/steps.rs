//! The steps by which the ledger got its shape, oldest first, and the statements of each. A step
//! that was released is never edited.

/// Name and statements of each step; the version of a file is the number of steps it has taken.
pub(super) const STEPS: &[(&str, &str)] = &[
    ("jobs, shards, creates, calls, artifacts, outcomes", FIRST),
    ("the table that an output replaces", EARLIER_OUTPUT),
    ("the search for batches whose create got no clear answer", SEARCH),
    ("rows that ask the same as another row", EQUAL_ROWS),
    ("names that people give to jobs", JOB_NAMES),
    ("the ways of jobs and shards, what was pruned", ENDS),
    ("batches that were found at the provider", FOUND),
    ("prompt tokens in the providers' queues", QUEUES),
    ("further rounds, and what stops a job until a person has seen it", ROUNDS),
    ("prices and budgets", PRICES),
    ("rows that are asked again because of their answer", REASKS),
    ("what a job's table tells beyond its rows", TABLES),
    ("calls of their own: shards, who was asked, how providers do", CALLS),
    ("the row cache: ages of answers, what is forgotten, what came from elsewhere", CACHE),
    ("calls outside of jobs, rows that calls failed for", SINGLE_CALLS),
];

/// What is asked outside of a job is paid too, and counts against the budget of its day.
const SINGLE_CALLS: &str = "
CREATE TABLE single_calls (
    day      TEXT NOT NULL,                  -- local calendar day
    base_url TEXT NOT NULL,
    currency TEXT NOT NULL,
    cost     INTEGER NOT NULL,               -- trillionths, all calls of the day together
    PRIMARY KEY (day, base_url, currency)
) WITHOUT ROWID;
ALTER TABLE asked ADD COLUMN rows_failed INTEGER NOT NULL DEFAULT 0;
";

/// A table may have more rows than were asked, and fill rows that the ledger knows as good.
const TABLES: &str = "ALTER TABLE job ADD COLUMN told TEXT;  -- by its newest table, JSON";

/// An outcome is its answer's entry in the cache, so that an entry costs a row nothing and is made in
/// the transaction of the outcome. What is forgotten is told by two moments and not by entry. A
/// copy is as old as its original.
const CACHE: &str = "
UPDATE outcome SET settled = (SELECT updated FROM job WHERE key = outcome.job)
    WHERE settled IS NULL AND status IN ('ok', 'cached');
UPDATE outcome AS c SET settled = coalesce((SELECT min(o.settled) FROM outcome o
    WHERE o.content_key = c.content_key AND o.status = 'ok'), c.settled)
    WHERE c.status = 'cached';
DROP INDEX outcome_by_content;
CREATE INDEX outcome_in_cache ON outcome(content_key, settled)
    WHERE content_key IS NOT NULL AND status IN ('ok', 'cached');
CREATE TABLE cache_forgotten (
    before     INTEGER NOT NULL,             -- all that was answered before that moment
    all_before INTEGER NOT NULL,             -- all of then or before that lies
    artifact   INTEGER NOT NULL              -- in files up to this one
);
INSERT INTO cache_forgotten VALUES (0, 0, 0);
CREATE TABLE cache_import (
    key               BLOB PRIMARY KEY,      -- content key
    provider          TEXT NOT NULL,
    address           TEXT NOT NULL,
    answered          INTEGER NOT NULL,
    digest            BLOB NOT NULL,         -- of the entry with its line
    file              TEXT NOT NULL,         -- below the home's folder cache
    place             INTEGER NOT NULL,
    length            INTEGER NOT NULL,
    currency          TEXT,
    cost              INTEGER,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER
) WITHOUT ROWID;
";

/// A shard whose rows are called one by one keeps a list of the calls it began beside its row list:
/// a call that was sent and has no line in the results may have been billed. `counted` is how many
/// bytes of that list are in the account already.
const CALLS: &str = "
ALTER TABLE shard ADD COLUMN mode TEXT NOT NULL DEFAULT 'batch';  -- batch, realtime
ALTER TABLE shard ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
CREATE TABLE asked (
    job        TEXT NOT NULL REFERENCES job(key),
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    calls      INTEGER NOT NULL DEFAULT 0,   -- that were sent
    answers    INTEGER NOT NULL DEFAULT 0,   -- rows it settled, good or not
    refused    INTEGER NOT NULL DEFAULT 0,   -- for the rate, or for want of capacity
    failed     INTEGER NOT NULL DEFAULT 0,   -- any other failure
    unanswered INTEGER NOT NULL DEFAULT 0,   -- possibly billed: sent, and no answer came
    PRIMARY KEY (job, provider, model)
) WITHOUT ROWID;
CREATE TABLE health (
    provider TEXT NOT NULL,                  -- the name it is called by
    base_url TEXT NOT NULL,
    model    TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,     -- in a row
    until    INTEGER,                        -- it is not asked before, Unix milliseconds
    reason   TEXT,                           -- of the last failure, redacted
    answered INTEGER,                        -- when it last answered, Unix milliseconds
    updated  INTEGER NOT NULL,
    PRIMARY KEY (provider, base_url, model)
) WITHOUT ROWID;
";

/// Which bad answer a row of such a shard is asked about, and how often it was asked, is told by its
/// outcomes; the mark is for building the file and for the account.
const REASKS: &str = "
ALTER TABLE shard ADD COLUMN reask INTEGER NOT NULL DEFAULT 0;  -- its requests hold bad answers
";

/// Amounts are trillionths of a currency's unit; null is unknown, never 0. A charge is what a
/// shard may cost until it is settled and what it did cost from then on; none is left where
/// nothing ran.
const PRICES: &str = "
ALTER TABLE job ADD COLUMN terms TEXT;       -- price, forecast and limits it was made under, JSON
ALTER TABLE job ADD COLUMN prompt TEXT;      -- digest of what is asked of every row, and of whom
CREATE INDEX job_by_prompt ON job(prompt);
ALTER TABLE ask ADD COLUMN price TEXT;       -- of another model than the job's, as JSON
ALTER TABLE outcome ADD COLUMN cost INTEGER;
ALTER TABLE surplus ADD COLUMN cost INTEGER;
ALTER TABLE shard ADD COLUMN reserve INTEGER;                        -- its worst case
CREATE TABLE charge (
    shard    INTEGER PRIMARY KEY REFERENCES shard(id),
    job      TEXT NOT NULL REFERENCES job(key),
    base_url TEXT NOT NULL,
    day      TEXT NOT NULL,                  -- of the create, where the program ran
    currency TEXT,                           -- null where no price is known
    cost     INTEGER,
    requests INTEGER NOT NULL,
    settled  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX charge_by_day ON charge(day, currency);
CREATE INDEX charge_by_job ON charge(job);
";

/// Prompt tokens that shards have in a provider's queue, and how much such a queue holds. The
/// indexes and the columns read out of the replies are for jobs of thousands of shards.
const QUEUES: &str = "
ALTER TABLE shard ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;  -- of its prompts, as planned
ALTER TABLE shard ADD COLUMN cuts INTEGER NOT NULL DEFAULT 0;    -- for a file found too large
CREATE INDEX shard_by_state ON shard(job, state, round, number);
CREATE TABLE reservation (
    shard    INTEGER PRIMARY KEY REFERENCES shard(id),
    base_url TEXT NOT NULL,
    account  TEXT NOT NULL,
    model    TEXT NOT NULL,
    tokens   INTEGER NOT NULL
);
CREATE TABLE enqueued_limit (
    base_url TEXT NOT NULL,
    account  TEXT NOT NULL,
    model    TEXT NOT NULL,
    tokens   INTEGER NOT NULL,
    learned  INTEGER NOT NULL,           -- when a refusal told it
    PRIMARY KEY (base_url, account, model)
);
ALTER TABLE batch_create ADD COLUMN seen_status TEXT AS
    (CASE WHEN json_valid(reply) THEN json_extract(reply, '$.status') END) VIRTUAL;
ALTER TABLE batch_create ADD COLUMN seen_completed INTEGER AS
    (CASE WHEN json_valid(reply) THEN json_extract(reply, '$.counts.completed') END) VIRTUAL;
ALTER TABLE batch_create ADD COLUMN seen_failed INTEGER AS
    (CASE WHEN json_valid(reply) THEN json_extract(reply, '$.counts.failed') END) VIRTUAL;
CREATE INDEX batch_create_seen ON batch_create
    (shard, attempt, seen_status, seen_completed, seen_failed, batch_id);
";

/// Shards that were made from a batch that was found; what surplus batches used; and more than
/// one result file of a kind for a shard. References to the rebuilt table are checked at the end.
const FOUND: &str = "
ALTER TABLE shard ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE surplus ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE surplus ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE surplus ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE surplus ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0;
CREATE TABLE artifact_by_name (
    id     INTEGER PRIMARY KEY,
    shard  INTEGER NOT NULL REFERENCES shard(id),
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    digest TEXT NOT NULL,
    UNIQUE (shard, name)
);
INSERT INTO artifact_by_name SELECT id, shard, kind, name, bytes, digest FROM artifact;
DROP TABLE artifact;
ALTER TABLE artifact_by_name RENAME TO artifact;
";

/// A question that differs from the job's own belongs to the shards that ask it.
const ROUNDS: &str = "
ALTER TABLE outcome ADD COLUMN class TEXT;   -- what kind of failure it is
ALTER TABLE job ADD COLUMN counted_from INTEGER NOT NULL DEFAULT 1;  -- the newest retry's round
ALTER TABLE job ADD COLUMN halt TEXT;        -- why nothing more is sent, as JSON
ALTER TABLE job ADD COLUMN halt_told INTEGER NOT NULL DEFAULT 0;     -- a person was told
CREATE TABLE ask (
    id       INTEGER PRIMARY KEY,
    job      TEXT NOT NULL REFERENCES job(key),
    question TEXT NOT NULL                   -- as JSON
);
ALTER TABLE shard ADD COLUMN ask INTEGER REFERENCES ask(id);         -- null = the job's own
";

/// How far the search for a lost batch has come; and batches of ours beyond the one of their
/// create, whose answers are kept too.
pub(super) const SEARCH: &str = "
ALTER TABLE batch_create ADD COLUMN intended INTEGER;  -- by the provider's clock
ALTER TABLE batch_create ADD COLUMN listings INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch_create ADD COLUMN searched INTEGER NOT NULL DEFAULT 0;  -- seconds
ALTER TABLE batch_create ADD COLUMN fenced INTEGER;    -- its input file was deleted, local clock
CREATE TABLE surplus (
    batch_id  TEXT PRIMARY KEY,
    job       TEXT NOT NULL REFERENCES job(key),
    create_id INTEGER NOT NULL REFERENCES batch_create(id),
    state     TEXT NOT NULL,             -- running, stored
    reply     TEXT NOT NULL,             -- the provider's last description
    found     INTEGER NOT NULL
);
";

/// A mark is made before the table gets its name; a kill in between leaves the earlier one there.
pub(super) const EARLIER_OUTPUT: &str = "ALTER TABLE output ADD COLUMN earlier TEXT;";

/// In the ledger and not in a file beside it, so that an outcome reaches all of its rows in the
/// transaction that records it.
const EQUAL_ROWS: &str = "
CREATE TABLE equal_row (
    job    TEXT NOT NULL REFERENCES job(key),
    leader INTEGER NOT NULL,                 -- the row that is sent
    row    INTEGER NOT NULL,                 -- a row that asks the same and gets its outcome
    PRIMARY KEY (job, leader, row)
) WITHOUT ROWID;
";

const JOB_NAMES: &str = "
CREATE TABLE job_name (
    name TEXT PRIMARY KEY,                   -- as given by --name
    job  TEXT NOT NULL REFERENCES job(key)
) WITHOUT ROWID;
";

/// The triggers are the one place where a way is written down, whoever changes a state, and in the
/// same transaction. Their clock is for display alone.
const ENDS: &str = "
ALTER TABLE job ADD COLUMN exit INTEGER;     -- the code that the last drive of it ended with
ALTER TABLE job ADD COLUMN written INTEGER;  -- when its table was written after its end
ALTER TABLE job ADD COLUMN pruned INTEGER;   -- when its local files were removed
ALTER TABLE outcome ADD COLUMN settled INTEGER;
CREATE TABLE transition (
    id     INTEGER PRIMARY KEY,
    job    TEXT NOT NULL REFERENCES job(key),
    shard  INTEGER REFERENCES shard(id),     -- null = the job itself
    state  TEXT NOT NULL,
    detail TEXT,
    at     INTEGER NOT NULL
);
CREATE INDEX transition_by_job ON transition(job, shard);
CREATE TRIGGER job_begins AFTER INSERT ON job BEGIN
    INSERT INTO transition (job, state, detail, at)
    VALUES (NEW.key, NEW.state, NEW.reason, NEW.created);
END;
CREATE TRIGGER job_moves AFTER UPDATE OF state ON job WHEN NEW.state <> OLD.state BEGIN
    INSERT INTO transition (job, state, detail, at)
    VALUES (NEW.key, NEW.state, NEW.reason, NEW.updated);
END;
CREATE TRIGGER shard_begins AFTER INSERT ON shard BEGIN
    INSERT INTO transition (job, shard, state, detail, at)
    VALUES (NEW.job, NEW.id, NEW.state, NEW.detail, unixepoch());
END;
CREATE TRIGGER shard_moves AFTER UPDATE OF state ON shard WHEN NEW.state <> OLD.state BEGIN
    INSERT INTO transition (job, shard, state, detail, at)
    VALUES (NEW.job, NEW.id, NEW.state, nullif(NEW.detail, OLD.detail), unixepoch());
END;
CREATE TABLE cleanup (
    id      INTEGER PRIMARY KEY,
    job     TEXT NOT NULL REFERENCES job(key),
    file_id TEXT NOT NULL,                   -- a file at the provider
    kind    TEXT NOT NULL,                   -- input, output, error, leftover
    state   TEXT NOT NULL,                   -- listed, deleted, failed
    detail  TEXT,                            -- the provider's words about a failure
    updated INTEGER NOT NULL,
    UNIQUE (job, file_id)
);
";

pub(super) const FIRST: &str = "
CREATE TABLE job (
    key           TEXT PRIMARY KEY,          -- 10 Crockford base32 characters
    short         TEXT NOT NULL UNIQUE,      -- its first six, what people type
    run_digest    TEXT NOT NULL UNIQUE,      -- what the user asked for; the same line finds its job
    state         TEXT NOT NULL,
    reason        TEXT,                      -- why it waits, in words
    folder        TEXT NOT NULL,             -- where it was started: `last` looks here
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL,
    provider      TEXT NOT NULL,
    base_url      TEXT NOT NULL,
    account       TEXT NOT NULL,             -- salted fingerprint of the key
    spec          TEXT NOT NULL,             -- the whole request as JSON
    rows          INTEGER NOT NULL,          -- selected rows
    requests      INTEGER NOT NULL,
    output_path   TEXT                       -- where its table goes
);
CREATE TABLE output (
    path    TEXT PRIMARY KEY,                -- a table that we wrote
    digest  TEXT NOT NULL,                   -- of its bytes as we wrote them
    job     TEXT REFERENCES job(key),        -- null = merged from result files alone
    written INTEGER NOT NULL
);
CREATE TABLE shard (
    id        INTEGER PRIMARY KEY,
    job       TEXT NOT NULL REFERENCES job(key),
    round     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    state     TEXT NOT NULL,
    rows      INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    detail    TEXT,                          -- the provider's words about why it ended as it did
    UNIQUE (job, round, number)
);
CREATE TABLE batch_create (
    id          INTEGER PRIMARY KEY,
    shard       INTEGER NOT NULL REFERENCES shard(id),
    attempt     INTEGER NOT NULL,
    key         TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL,
    file_digest TEXT NOT NULL,
    file_bytes  INTEGER NOT NULL,
    file_id     TEXT,
    batch_id    TEXT,
    reply       TEXT,                        -- the provider's last description, as it came
    status_word TEXT,
    updated     INTEGER NOT NULL,
    UNIQUE (shard, attempt)
);
CREATE INDEX batch_create_by_batch ON batch_create(batch_id);
CREATE TABLE call (
    id        INTEGER PRIMARY KEY,
    job       TEXT NOT NULL REFERENCES job(key),
    create_id INTEGER REFERENCES batch_create(id),
    kind      TEXT NOT NULL,
    started   INTEGER NOT NULL,
    ended     INTEGER,
    class     TEXT,                          -- ok, not_sent, rejected, unknown; null = still open
    http      INTEGER,
    remote_id TEXT,
    excerpt   TEXT                           -- redacted
);
CREATE TABLE artifact (
    id     INTEGER PRIMARY KEY,
    shard  INTEGER NOT NULL REFERENCES shard(id),
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,                    -- file name below the job's results folder
    bytes  INTEGER NOT NULL,
    digest TEXT NOT NULL,
    UNIQUE (shard, kind)
);
CREATE TABLE outcome (
    job               TEXT NOT NULL REFERENCES job(key),
    row               INTEGER NOT NULL,
    round             INTEGER NOT NULL,
    status            TEXT NOT NULL,
    artifact          INTEGER REFERENCES artifact(id),
    place             INTEGER,
    length            INTEGER,
    content_key       BLOB,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER,
    error             TEXT,
    PRIMARY KEY (job, row, round)
) WITHOUT ROWID;
CREATE INDEX outcome_by_content ON outcome(content_key);
CREATE TABLE wish (
    job    TEXT PRIMARY KEY REFERENCES job(key),
    cancel INTEGER NOT NULL                  -- when a person asked for it
);
";
