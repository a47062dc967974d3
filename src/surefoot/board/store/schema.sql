-- Schema 1 of the results board. One file, one database.
--
-- Nothing is deleted: `deleted` holds the time of a tombstone, triggers refuse DELETE, and every
-- change after creation has a row in `revision`, which can only grow. Rows that a bulk import
-- made carry `import_id`; that import's own revision stands for their creation.
-- Names are matched by `fold` (case-folded, blanks collapsed); originals are kept in `alias`.

CREATE TABLE import (
  id INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  kind TEXT NOT NULL,
  licence TEXT NOT NULL DEFAULT '',
  started TEXT NOT NULL,
  finished TEXT,
  complete INTEGER NOT NULL DEFAULT 0,
  added INTEGER NOT NULL DEFAULT 0,
  updated INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX import_file ON import (sha256, kind);

CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  import_id INTEGER NOT NULL REFERENCES import (id),
  json_path TEXT NOT NULL,
  reason TEXT NOT NULL,
  raw TEXT NOT NULL,
  UNIQUE (import_id, json_path, reason)
);

CREATE TABLE revision (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN
    ('create', 'update', 'delete', 'restore', 'import', 'migrate')),
  entity TEXT NOT NULL,
  entity_id INTEGER NOT NULL,
  old TEXT,
  new TEXT,
  note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX revision_entity ON revision (entity, entity_id);

CREATE TABLE alias (
  entity TEXT NOT NULL,
  entity_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (entity, entity_id, name)
) WITHOUT ROWID;

CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  fold TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  categories TEXT NOT NULL DEFAULT '[]',
  synonyms TEXT NOT NULL DEFAULT '[]',
  source_link TEXT NOT NULL DEFAULT 'null',
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT
);

CREATE TABLE task_parent (
  parent_id INTEGER NOT NULL REFERENCES task (id),
  child_id INTEGER NOT NULL REFERENCES task (id),
  PRIMARY KEY (parent_id, child_id)
) WITHOUT ROWID;
CREATE INDEX task_parent_child ON task_parent (child_id);

CREATE TABLE paper (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  fold TEXT NOT NULL,
  authors TEXT NOT NULL DEFAULT '[]',
  date TEXT NOT NULL DEFAULT '',
  venue TEXT NOT NULL DEFAULT '',
  arxiv_id TEXT UNIQUE,
  archive_url TEXT UNIQUE,
  abstract TEXT NOT NULL DEFAULT '',
  url_abs TEXT NOT NULL DEFAULT '',
  url_pdf TEXT NOT NULL DEFAULT '',
  extra TEXT NOT NULL DEFAULT '{}',
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT
);
CREATE INDEX paper_fold ON paper (fold);
CREATE INDEX paper_date ON paper (date);

CREATE TABLE dataset (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  fold TEXT NOT NULL,
  parent_id INTEGER REFERENCES dataset (id),
  full_name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  homepage TEXT NOT NULL DEFAULT '',
  licence_name TEXT NOT NULL DEFAULT '',
  licence_url TEXT NOT NULL DEFAULT '',
  introduced TEXT NOT NULL DEFAULT '',
  modalities TEXT NOT NULL DEFAULT '[]',
  splits TEXT NOT NULL DEFAULT '[]',
  archive_url TEXT UNIQUE,
  paper_id INTEGER REFERENCES paper (id),
  toy INTEGER NOT NULL DEFAULT 0,
  extra TEXT NOT NULL DEFAULT '{}',
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT
);
CREATE UNIQUE INDEX dataset_name ON dataset (coalesce(parent_id, 0), fold);
CREATE INDEX dataset_paper ON dataset (paper_id);

CREATE TABLE method (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  fold TEXT NOT NULL,
  full_name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  introduced INTEGER,
  paper_id INTEGER REFERENCES paper (id),
  source_url TEXT NOT NULL DEFAULT '',
  source_title TEXT NOT NULL DEFAULT '',
  code_url TEXT NOT NULL DEFAULT '',
  collections TEXT NOT NULL DEFAULT '[]',
  archive_url TEXT UNIQUE,
  registry_name TEXT NOT NULL DEFAULT '',
  reading INTEGER NOT NULL DEFAULT 0,
  extra TEXT NOT NULL DEFAULT '{}',
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT
);
CREATE INDEX method_fold ON method (fold);
CREATE INDEX method_paper ON method (paper_id);

CREATE TABLE paper_task (
  paper_id INTEGER NOT NULL REFERENCES paper (id),
  task_id INTEGER NOT NULL REFERENCES task (id),
  PRIMARY KEY (paper_id, task_id)
) WITHOUT ROWID;
CREATE INDEX paper_task_task ON paper_task (task_id);

CREATE TABLE paper_method (
  paper_id INTEGER NOT NULL REFERENCES paper (id),
  method_id INTEGER NOT NULL REFERENCES method (id),
  PRIMARY KEY (paper_id, method_id)
) WITHOUT ROWID;
CREATE INDEX paper_method_method ON paper_method (method_id);

CREATE TABLE dataset_task (
  dataset_id INTEGER NOT NULL REFERENCES dataset (id),
  task_id INTEGER NOT NULL REFERENCES task (id),
  PRIMARY KEY (dataset_id, task_id)
) WITHOUT ROWID;
CREATE INDEX dataset_task_task ON dataset_task (task_id);

CREATE TABLE code_link (
  id INTEGER PRIMARY KEY,
  paper_id INTEGER REFERENCES paper (id),
  url TEXT NOT NULL,
  official INTEGER,
  framework TEXT NOT NULL DEFAULT '',
  extra TEXT NOT NULL DEFAULT '{}',
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT,
  UNIQUE (paper_id, url)
);

CREATE TABLE protocol (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  deleted TEXT
);

CREATE TABLE metric (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  fold TEXT NOT NULL UNIQUE,
  direction TEXT NOT NULL CHECK (direction IN ('higher', 'lower', 'unknown')),
  known_from TEXT NOT NULL CHECK (known_from IN ('declared', 'inferred', 'unknown')),
  unit TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT '',
  deleted TEXT
);

-- A board is one table: task x data set x split x protocol; each of its metrics is a column that
-- can be ranked.
CREATE TABLE board (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  task_id INTEGER NOT NULL REFERENCES task (id),
  dataset_id INTEGER NOT NULL REFERENCES dataset (id),
  split TEXT NOT NULL DEFAULT 'unspecified',
  protocol TEXT NOT NULL DEFAULT 'unspecified',
  metrics TEXT NOT NULL DEFAULT '[]',
  description TEXT NOT NULL DEFAULT '',
  dataset_links TEXT NOT NULL DEFAULT '[]',
  dataset_citations TEXT NOT NULL DEFAULT '[]',
  notable INTEGER NOT NULL DEFAULT 0,
  licence TEXT NOT NULL DEFAULT '',
  import_id INTEGER REFERENCES import (id),
  deleted TEXT,
  UNIQUE (task_id, dataset_id, split, protocol)
);
CREATE INDEX board_dataset ON board (dataset_id);

-- An entry is one row of a board: a model, where it comes from, and one result per metric.
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  row_key TEXT NOT NULL UNIQUE,
  board_id INTEGER NOT NULL REFERENCES board (id),
  kind TEXT NOT NULL CHECK (kind IN ('published', 'reproduced', 'measured', 'submitted')),
  model_name TEXT NOT NULL,
  backbone TEXT NOT NULL DEFAULT '',
  setting TEXT NOT NULL DEFAULT '',
  method_id INTEGER REFERENCES method (id),
  paper_id INTEGER REFERENCES paper (id),
  paper_title TEXT,
  paper_url TEXT,
  paper_date TEXT,
  code_links TEXT NOT NULL DEFAULT '[]',
  model_links TEXT NOT NULL DEFAULT '[]',
  extra_data TEXT NOT NULL DEFAULT 'unknown' CHECK (extra_data IN ('yes', 'no', 'unknown')),
  toy INTEGER NOT NULL DEFAULT 0,
  source TEXT NOT NULL,
  licence TEXT NOT NULL DEFAULT '',
  created TEXT NOT NULL,
  import_id INTEGER REFERENCES import (id),
  deleted TEXT
);
CREATE INDEX entry_board ON entry (board_id);
CREATE INDEX entry_paper ON entry (paper_id);
CREATE INDEX entry_method ON entry (method_id);

CREATE TABLE result (
  id INTEGER PRIMARY KEY,
  entry_id INTEGER NOT NULL REFERENCES entry (id),
  metric TEXT NOT NULL,
  raw TEXT NOT NULL,
  raw_type TEXT NOT NULL DEFAULT 'string' CHECK (raw_type IN ('string', 'json')),
  value REAL,
  decimals INTEGER,
  percent INTEGER NOT NULL DEFAULT 0,
  bound TEXT NOT NULL DEFAULT '',
  plus_minus REAL,
  n INTEGER,
  low REAL,
  high REAL,
  interval TEXT NOT NULL DEFAULT 'none',
  stderr REAL,
  alpha REAL,
  selection TEXT NOT NULL DEFAULT '',
  seeds INTEGER,
  manifest TEXT NOT NULL DEFAULT 'unknown' CHECK (manifest IN ('whole', 'partial', 'unknown')),
  reproduces_id INTEGER REFERENCES result (id),
  headline INTEGER NOT NULL DEFAULT 0,
  deleted TEXT,
  UNIQUE (entry_id, metric)
);
CREATE INDEX result_reproduces ON result (reproduces_id);

-- A curve is a sweep over alpha; its points are not entries, so that they do not crowd a board.
CREATE TABLE curve (
  id INTEGER PRIMARY KEY,
  curve_key TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('published', 'reproduced', 'measured', 'submitted')),
  method_id INTEGER REFERENCES method (id),
  paper_id INTEGER REFERENCES paper (id),
  backbone TEXT NOT NULL DEFAULT '',
  setting TEXT NOT NULL DEFAULT '',
  points TEXT NOT NULL,
  toy INTEGER NOT NULL DEFAULT 0,
  source TEXT NOT NULL,
  licence TEXT NOT NULL DEFAULT '',
  created TEXT NOT NULL,
  deleted TEXT
);
CREATE INDEX curve_method ON curve (method_id);
CREATE INDEX curve_paper ON curve (paper_id);

CREATE TABLE submission (
  id INTEGER PRIMARY KEY,
  created TEXT NOT NULL,
  who TEXT NOT NULL,
  payload TEXT NOT NULL,
  payload_key TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL DEFAULT 'queued' CHECK (status IN
    ('queued', 'verified', 'differs', 'rejected')),
  note TEXT NOT NULL DEFAULT '',
  entry_id INTEGER REFERENCES entry (id),
  deleted TEXT
);
CREATE INDEX submission_status ON submission (status);
