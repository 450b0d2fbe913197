"""
The usual cure of before.py: three queries whatever the number of rooms. Memberships with their rooms, the last messages
with their senders, and all unread counts at once.
"""

from chat import entry, make_app, session
from models import Membership, Message, Room
from sqlalchemy import and_, func
from sqlalchemy.orm import contains_eager, joinedload


def list_rooms(user_id):
    memberships = (
        session.query(Membership)
        .join(Membership.room)
        .options(contains_eager(Membership.room))
        .filter(Membership.user_id == user_id, Membership.left_at.is_(None), Room.deleted_at.is_(None))
        .all()
    )
    last = last_messages([m.room_id for m in memberships])
    unread = unread_counts(user_id)
    return [entry(m, last.get(m.room_id), unread.get(m.room_id, 0)) for m in memberships]


def last_messages(room_ids):
    newest = (
        session.query(Message.room_id, func.max(Message.seq).label("seq"))
        .filter(Message.room_id.in_(room_ids), Message.kind == "text", Message.deleted_at.is_(None))
        .group_by(Message.room_id)
        .subquery()
    )
    messages = (
        session.query(Message)
        .join(newest, and_(Message.room_id == newest.c.room_id, Message.seq == newest.c.seq))
        .options(joinedload(Message.sender))
        .all()
    )
    return {message.room_id: message for message in messages}


def unread_counts(user_id):
    rows = (
        session.query(Message.room_id, func.count())
        .join(
            Membership,
            and_(Membership.room_id == Message.room_id, Message.seq > Membership.last_read_seq),
        )
        .filter(
            Membership.user_id == user_id,
            Membership.left_at.is_(None),
            Message.sender_id != user_id,
            Message.kind == "text",
            Message.deleted_at.is_(None),
        )
        .group_by(Message.room_id)
        .all()
    )
    return dict(rows)


app = make_app(list_rooms)
