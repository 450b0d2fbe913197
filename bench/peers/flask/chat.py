"""What both room lists share: the application, who asks, and an entry of the answer."""

import hashlib
import os
import time

from flask import Flask, abort, jsonify, request
from sqlalchemy import create_engine
from sqlalchemy.orm import joinedload, scoped_session, sessionmaker

from models import Token

# As Foyer: a token is believed for so many seconds without another look.
BELIEVED = 5
PREVIEW = 300

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://", 1),
    connect_args={
        "application_name": os.environ["APPLICATION_NAME"],
        "options": "-c search_path=foyer -c jit=off",
    },
)
session = scoped_session(sessionmaker(bind=engine))
_remembered = {}


def caller_id():
    """Whose bearer token the request has, or 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        abort(401)
    secret_hash = hashlib.sha256(token.encode()).digest()
    user_id, until = _remembered.get(secret_hash, (None, 0))
    if until > time.monotonic():
        return user_id
    found = (
        session.query(Token).options(joinedload(Token.user)).filter_by(secret_hash=secret_hash).one_or_none()
    )
    if found is None or found.user.deactivated_at is not None:
        abort(401)
    _remembered[secret_hash] = (found.user_id, time.monotonic() + BELIEVED)
    return found.user_id


def entry(membership, last_message, unread_count):
    """A room as one of its members sees it."""
    room = membership.room
    return {
        "id": room.id,
        "kind": room.kind,
        "name": room.name,
        "topic": room.topic,
        "role": membership.role,
        "lastSeq": room.last_seq,
        "lastReadSeq": membership.last_read_seq,
        "unreadCount": unread_count,
        "markedUnread": membership.marked_unread,
        "lastMessage": last_message
        and {
            "seq": last_message.seq,
            "sender": {
                "id": last_message.sender.id,
                "handle": last_message.sender.handle,
                "name": last_message.sender.name,
            },
            "body": preview(last_message.body),
            "createdAt": last_message.created_at.isoformat(timespec="milliseconds"),
        },
        "activeAt": (last_message or room).created_at.isoformat(timespec="milliseconds"),
        "memberCount": room.member_count,
    }


def preview(body):
    return body if len(body) <= PREVIEW else body[:PREVIEW] + "…"


def make_app(list_rooms):
    """The application, with one of the two room lists: list_rooms(user_id) gives entries in any order."""
    app = Flask(__name__)

    @app.get("/chat/api/rooms")
    def rooms():
        entries = list_rooms(caller_id())
        entries.sort(key=lambda room: (room["activeAt"], room["id"]), reverse=True)
        return jsonify(rooms=entries)

    @app.get("/health/ready")
    def ready():
        session.connection()
        return jsonify(status="ok")

    @app.teardown_appcontext
    def give_back(_error):
        session.remove()

    return app
