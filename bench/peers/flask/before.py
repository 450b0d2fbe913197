"""
The room list that Foyer replaces, written anew from its description: the rooms of a person by the ORM, and for each of
them one query for the last message, one for its sender, and one that counts what is unread (N + 1).
"""

from chat import entry, make_app, session
from models import Membership, Message, Room
from sqlalchemy.orm import contains_eager


def list_rooms(user_id):
    memberships = (
        session.query(Membership)
        .join(Membership.room)
        .options(contains_eager(Membership.room))
        .filter(Membership.user_id == user_id, Membership.left_at.is_(None), Room.deleted_at.is_(None))
        .all()
    )
    return [entry(m, last_message(m.room_id), unread_count(m)) for m in memberships]


def last_message(room_id):
    return (
        session.query(Message)
        .filter(Message.room_id == room_id, Message.kind == "text", Message.deleted_at.is_(None))
        .order_by(Message.seq.desc())
        .first()
    )


def unread_count(membership):
    return (
        session.query(Message)
        .filter(
            Message.room_id == membership.room_id,
            Message.seq > membership.last_read_seq,
            Message.sender_id != membership.user_id,
            Message.kind == "text",
            Message.deleted_at.is_(None),
        )
        .count()
    )


app = make_app(list_rooms)
