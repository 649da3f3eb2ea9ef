"""What is kept of an import. All that people wrote rests sealed; numbers, states and counts are in clear."""

from __future__ import annotations

import mongoengine as me


class ImportNumbers(me.Document):
    """The last number given out."""

    meta = {"collection": "import_numbers", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)
    last = me.IntField()


class Imports(me.Document):
    """One upload. `pieces` and `processed` say how far it is; whoever moves it names where it stood before.

    `not_before`: when its next step is due, or since when it rests; null once it is emptied. Of an emptied one the
    sealed parts are null too, and `last_row` says how far its rows went.
    """

    meta = {
        "collection": "imports",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["state", "not_before"], "name": "due"},
            {"fields": ["kind", "-_id"], "name": "kind"},
            {"fields": ["owners", "-_id"], "name": "owners"},
        ],
    }
    number = me.IntField(primary_key=True)
    kind = me.StringField()
    language = me.StringField()
    state = me.StringField()
    key = me.StringField()  # the import's own key, wrapped by the service's
    about = me.BinaryField()  # sealed: file name, options
    problem = me.BinaryField()  # sealed: Said
    file_parts = me.IntField()
    file_bytes = me.IntField()
    counts = me.DictField()
    done = me.DictField()
    total = me.IntField()
    processed = me.IntField()
    pieces = me.IntField()
    failures = me.IntField()
    not_before = me.DateTimeField()
    uploaded_by = me.StringField()
    uploaded_at = me.DateTimeField()
    committed_by = me.StringField()
    committed_at = me.DateTimeField()
    emptied_at = me.DateTimeField()
    last_row = me.IntField()
    owns = me.DictField()
    owners = me.ListField(me.StringField())  # "kind:id" of `owns`


class ImportFiles(me.Document):
    """A part of an uploaded file, sealed; `<number>:<part>`."""

    meta = {"collection": "import_files", "auto_create_index": False, "strict": False}
    id = me.StringField(primary_key=True)
    sealed = me.BinaryField()


class ImportPieces(me.Document):
    """At most 500 consecutive rows: sealed cells and verdicts, and in clear one letter of each row's status.

    `done` grows by one entry with each transaction that commits some of them.
    """

    meta = {
        "collection": "import_pieces",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["number", "index"], "name": "piece", "unique": True},
            {"fields": ["number", "first"], "name": "row"},
        ],
    }
    id = me.StringField(primary_key=True)
    number = me.IntField()
    index = me.IntField()
    first = me.IntField()
    last = me.IntField()
    statuses = me.StringField()
    sealed = me.BinaryField()
    done = me.ListField(me.DictField())
