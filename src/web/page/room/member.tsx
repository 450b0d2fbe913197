import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { Member, Role, Room, Timeline } from "../../client/index.ts";
import { useDoing } from "../doing.ts";
import { writeTo } from "../entering.ts";
import { Confirm } from "../forms/confirm.tsx";
import { Icon } from "../icons.tsx";
import { Avatar } from "../names.tsx";
import { Problem } from "../problem.tsx";
import { api, me } from "../state.ts";
import { t } from "../words.ts";
import { coversRoom } from "./panel.tsx";

const ROLES: readonly Role[] = ["owner", "moderator", "member"];

interface Props {
  member: Member;
  room: Room;
  timeline: Timeline;
  onClose: () => void;
  onRemoved: () => void;
}

/** A member, and behind a button what one may do: write to them, give them a role, remove them. */
export function MemberRow(props: Props) {
  const { user, role } = props.member;
  const id = useId();
  const open = useSignal(false);
  const isMe = user.id === me.value?.id;
  const hasMore = !isMe || (props.room.role === "owner" && props.room.kind !== "direct");
  return (
    <li class="member">
      <Avatar user={user} online={user.online} />
      <div class="member-words">
        <p class="member-name">
          <bdi>{user.name}</bdi>
          {isMe && <span class="hint"> ({t.you})</span>}
        </p>
        <p class="hint member-more">
          @{user.handle}
          {role !== "member" && ` · ${t.roles[role]}`}
          {user.online && <span class="visually-hidden"> · {t.online}</span>}
        </p>
      </div>
      {hasMore && (
        <button
          type="button"
          class="icon-button"
          aria-label={t.memberActions(user.name)}
          aria-expanded={open.value}
          aria-controls={id}
          onClick={() => {
            open.value = !open.value;
          }}
        >
          <Icon name="more" />
        </button>
      )}
      <div class="member-actions" id={id} hidden={!open.value}>
        {open.value && <Actions {...props} isMe={isMe} />}
      </div>
    </li>
  );
}

function Actions({
  member: { user, role },
  room,
  timeline,
  onClose,
  onRemoved,
  isMe,
}: Props & { isMe: boolean }) {
  const writing = useDoing();
  const mayRemove =
    !isMe &&
    room.kind !== "direct" &&
    (room.role === "owner" || (room.role === "moderator" && role === "member"));
  const write = async () => {
    await writeTo(user.id);
    if (coversRoom()) onClose();
  };
  const remove = async () => {
    await api.removeMember(room.id, user.id);
    await timeline.reloadMembers();
    onRemoved();
  };
  return (
    <>
      {!isMe && (
        <button
          type="button"
          class="button"
          aria-disabled={writing.busy.value}
          onClick={() => writing.run(write)}
        >
          {t.writeDirectly}
        </button>
      )}
      <Problem error={writing.error.value} />
      {room.role === "owner" && room.kind !== "direct" && (
        <RoleOf user={user.id} role={role} room={room} timeline={timeline} />
      )}
      {mayRemove && <Confirm action={t.removeMember} question={t.removeMemberSure(user.name)} run={remove} />}
    </>
  );
}

function RoleOf(props: { user: number; role: Role; room: Room; timeline: Timeline }) {
  const id = useId();
  const doing = useDoing();
  const give = (role: Role) =>
    doing.run(async () => {
      await api.putMember(props.room.id, props.user, role);
      await props.timeline.reloadMembers();
    });
  return (
    <div class="field">
      <label for={id}>{t.role}</label>
      <select
        id={id}
        value={props.role}
        aria-disabled={doing.busy.value}
        onChange={(event) => {
          const select = event.currentTarget;
          void give(select.value as Role).then((given) => {
            if (!given) select.value = props.role;
          });
        }}
      >
        {ROLES.map((role) => (
          <option key={role} value={role}>
            {t.roles[role]}
          </option>
        ))}
      </select>
      <Problem error={doing.error.value} />
    </div>
  );
}
