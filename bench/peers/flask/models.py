"""Foyer's tables, as far as a room list needs them, as an application of the usual kind would map them."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, LargeBinary, Text
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "users"

    id = Column(BigInteger, primary_key=True)
    handle = Column(Text, nullable=False)
    name = Column(Text, nullable=False)
    deactivated_at = Column(DateTime(timezone=True))


class Token(Base):
    __tablename__ = "tokens"

    id = Column(BigInteger, primary_key=True)
    user_id = Column(BigInteger, ForeignKey("users.id"), nullable=False)
    secret_hash = Column(LargeBinary, nullable=False)
    user = relationship(User)


class Room(Base):
    __tablename__ = "rooms"

    id = Column(BigInteger, primary_key=True)
    kind = Column(Text, nullable=False)
    name = Column(Text)
    topic = Column(Text)
    member_count = Column(Integer, nullable=False)
    last_seq = Column(BigInteger, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    deleted_at = Column(DateTime(timezone=True))


class Membership(Base):
    __tablename__ = "memberships"

    user_id = Column(BigInteger, ForeignKey("users.id"), primary_key=True)
    room_id = Column(BigInteger, ForeignKey("rooms.id"), primary_key=True)
    role = Column(Text, nullable=False)
    last_read_seq = Column(BigInteger, nullable=False)
    marked_unread = Column(Boolean, nullable=False)
    left_at = Column(DateTime(timezone=True))
    room = relationship(Room)


class Message(Base):
    __tablename__ = "messages"

    room_id = Column(BigInteger, ForeignKey("rooms.id"), primary_key=True)
    seq = Column(BigInteger, primary_key=True)
    sender_id = Column(BigInteger, ForeignKey("users.id"), nullable=False)
    kind = Column(Text, nullable=False)
    body = Column(Text)
    created_at = Column(DateTime(timezone=True), nullable=False)
    deleted_at = Column(DateTime(timezone=True))
    sender = relationship(User)
