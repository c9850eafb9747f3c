"""Full text and vectors, by what each database does best.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The index keeps no copy of the text: its rows are the chunks', and the triggers keep it true.
SQLITE = (
    """
    CREATE VIRTUAL TABLE chunks_fts USING fts5(
        header, text, content='chunks', content_rowid='id', tokenize="unicode61"
    )
    """,
    """
    CREATE TRIGGER chunks_fts_insert AFTER INSERT ON chunks BEGIN
        INSERT INTO chunks_fts(rowid, header, text) VALUES (new.id, new.header, new.text);
    END
    """,
    """
    CREATE TRIGGER chunks_fts_delete AFTER DELETE ON chunks BEGIN
        INSERT INTO chunks_fts(chunks_fts, rowid, header, text)
        VALUES ('delete', old.id, old.header, old.text);
    END
    """,
    """
    CREATE TRIGGER chunks_fts_update AFTER UPDATE OF id, header, text ON chunks BEGIN
        INSERT INTO chunks_fts(chunks_fts, rowid, header, text)
        VALUES ('delete', old.id, old.header, old.text);
        INSERT INTO chunks_fts(rowid, header, text) VALUES (new.id, new.header, new.text);
    END
    """,
)

# ``simple`` neither stems nor drops words: code and all languages are treated alike. Its parser
# sees only runs of letters and digits, as unicode61 does: alone it would keep ``storage/runs.py``
# and ``os.path`` whole, drop what looks like a tag, and a search for ``runs`` would find nothing.
# The vectors' column has no dimension, so that models can change; an index needs one, and belongs
# to one model.
POSTGRESQL = (
    """
    ALTER TABLE chunks ADD COLUMN lexemes tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', regexp_replace(header, '[^[:alnum:]]+', ' ', 'g')), 'A')
        || setweight(to_tsvector('simple', regexp_replace(text, '[^[:alnum:]]+', ' ', 'g')), 'B')
    ) STORED
    """,
    "CREATE INDEX ix_chunks_lexemes ON chunks USING gin (lexemes)",
    """
    CREATE INDEX ix_embeddings_wordllama_l2_256 ON embeddings
    USING hnsw ((vector::halfvec(256)) halfvec_cosine_ops)
    WHERE model = 'wordllama-l2-256'
    """,
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in SQLITE if dialect == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: going back would lose data")
