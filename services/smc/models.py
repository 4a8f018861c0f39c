"""The tables of the platform's database (MariaDB, InnoDB, utf8mb4); times are UTC."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects.mysql import DATETIME, VARBINARY
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from services.media import plans

TABLE = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """An aware UTC time with microseconds; the column itself has no zone."""

    impl = DATETIME(fsp=6)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012
        datetime: Moment, dict[str, Any]: JSON, list[float]: JSON, list[dict[str, str]]: JSON
    }  # fmt: skip
    __table_args__: Any = TABLE


class Setting(Base):
    """One fact about the platform; the row `initialised` exists once and for ever."""

    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class Account(Base):
    """`key` is the lower-case name, so that no two accounts differ in case only."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(32))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]


class ProtectionAnswer(Base):
    __tablename__ = "protection_answers"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    question: Mapped[str] = mapped_column(String(200))
    answer_hash: Mapped[str] = mapped_column(String(255))


class RecoveryCode(Base):
    """One of an account's one-time codes; `selector` is its first group, the rest is known as a hash."""

    __tablename__ = "recovery_codes"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    selector: Mapped[str] = mapped_column(String(4), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(255))
    made_at: Mapped[datetime]
    kept_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class Lockout(Base):
    """Failed logins of one account or source: `recent` holds their times (epoch seconds, bounded)."""

    __tablename__ = "lockouts"
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    recent: Mapped[list[float]]
    level: Mapped[int]
    locked_until: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(index=True)


class JoinToken(Base):
    """The right of one node to join once; only the SHA-256 of the token is known."""

    __tablename__ = "join_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_from: Mapped[str | None] = mapped_column(String(64))


class Node(Base):
    """A server of the site; `state` is what the administrator decided: waiting, enabled or disabled."""

    __tablename__ = "nodes"
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(64))
    mapping_ip: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    registered_at: Mapped[datetime]
    state_changed_at: Mapped[datetime]
    state_changed_by: Mapped[str] = mapped_column(String(64))


class MappingGrant(Base):
    """An administrator's word that a node is reached by this outside address, which others may have too."""

    __tablename__ = "mapping_grants"
    node: Mapped[str] = mapped_column(String(63), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    given_by: Mapped[str] = mapped_column(String(64))
    given_at: Mapped[datetime]


class Device(Base):
    """A camera or recorder; `identity` is its normalised address, unique; `secret` its encrypted password."""

    __tablename__ = "devices"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(8))
    node: Mapped[str] = mapped_column(ForeignKey("nodes.name"))
    identity: Mapped[str] = mapped_column(String(640), unique=True)
    url: Mapped[str | None] = mapped_column(String(512))
    host: Mapped[str] = mapped_column(String(253))
    port: Mapped[int]
    rtsp_port: Mapped[int]
    register_id: Mapped[str | None] = mapped_column(String(64))
    username: Mapped[str] = mapped_column(String(64))
    secret: Mapped[bytes] = mapped_column(VARBINARY(600))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime]
    channels: Mapped[list["Channel"]] = relationship(
        order_by="Channel.number", cascade="all, delete-orphan", passive_deletes=True
    )
    state: Mapped["DeviceState"] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Channel(Base):
    """One picture source of a device; `streams` is a comma list of main and sub."""

    __tablename__ = "channels"
    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(80))
    streams: Mapped[str] = mapped_column(String(16))
    plan: Mapped["RecordingPlan | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    __table_args__ = (UniqueConstraint("device_id", "number"), TABLE)


class RecordingPlan(Base):
    """When a channel is recorded: `kind` is a mode of services.media.plans, no row is off.

    `week`: seven lists of {"start", "end", "kind"}, None where nobody made one.
    """

    __tablename__ = "recording_plans"
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    week: Mapped[list[list[dict[str, Any]]] | None] = mapped_column(JSON(none_as_null=True))
    pre_seconds: Mapped[int] = mapped_column(default=plans.PRE, server_default=str(plans.PRE))
    post_seconds: Mapped[int] = mapped_column(default=plans.POST, server_default=str(plans.POST))
    sound: Mapped[bool] = mapped_column(default=False, server_default="0")
    fetch: Mapped[bool] = mapped_column("fetch_missing", default=True, server_default="1")
    streams: Mapped[str] = mapped_column(String(8), default=plans.MAIN, server_default=plans.MAIN)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(64))


class Layout(Base):
    """A wall of live pictures of one account; each of `tiles` has `channel` ("" for none) and `stream`."""

    __tablename__ = "layouts"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    tiles: Mapped[list[dict[str, str]]]
    opens_first: Mapped[bool]
    changed_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("account_id", "name"), TABLE)


class Bookmark(Base):
    """A named moment of a channel, milliseconds since 1970; `made_by` is the account's name."""

    __tablename__ = "bookmarks"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    at: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(80))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    __table_args__ = (Index("ix_bookmarks_channel_id_at", "channel_id", "at"), TABLE)


class PlayerAccount(Base):
    """A player of RTSP; `channels` null for all, `ends` in milliseconds, `secret` its encrypted hashes."""

    __tablename__ = "player_accounts"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    channels: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    recordings: Mapped[bool]
    enabled: Mapped[bool]
    ends: Mapped[int | None] = mapped_column(BigInteger)
    secret: Mapped[bytes] = mapped_column(VARBINARY(600))
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(64))


class Export(Base):
    """An order of an export; each of `channels` has `channel`, `name` and `node`, which makes its part."""

    __tablename__ = "exports"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    ordered_by: Mapped[str] = mapped_column(String(64))
    ordered_at: Mapped[datetime] = mapped_column(index=True)
    format: Mapped[str] = mapped_column(String(8))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    channels: Mapped[list[dict[str, str]]]


class DeviceState(Base):
    """What the device's node said last; `at` is that node's time of the observation."""

    __tablename__ = "device_states"
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime]
    info: Mapped[dict[str, Any]]


class Audit(Base):
    """One entry of the hash chain; the database refuses to change or delete it."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    source: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64), index=True)
    target: Mapped[str] = mapped_column(String(255))
    outcome: Mapped[str] = mapped_column(String(16))
    details: Mapped[str] = mapped_column(Text)
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the chain: one row, whose lock makes writers queue."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class AppliedMessage(Base):
    """Ids of messages whose effect is committed, so that a repeated delivery changes nothing."""

    __tablename__ = "applied_messages"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
