import { Icon, type IconName } from "../icons.tsx";
import { Avatar } from "../names.tsx";
import { type DialogName, dialog, me, totals } from "../state.ts";
import { t } from "../words.ts";
import { RoomList } from "./list.tsx";
import { filter } from "./order.ts";

const ACTIONS: { name: DialogName; icon: IconName; words: string }[] = [
  { name: "open-rooms", icon: "compass", words: t.openRooms },
  { name: "new-direct", icon: "chat", words: t.newDirect },
  { name: "new-room", icon: "plus", words: t.newRoom },
];

/** The rooms, a box to filter them, and what one can do besides. */
export function Sidebar() {
  return (
    <nav class="sidebar" aria-label={t.rooms}>
      <button type="button" class="skip" onClick={() => document.getElementById("conversation")?.focus()}>
        {t.skip}
      </button>
      <header class="sidebar-head">
        <h2>{t.rooms}</h2>
        {ACTIONS.map(({ name, icon, words }) => (
          <button
            key={name}
            type="button"
            class="icon-button"
            aria-label={words}
            title={words}
            aria-haspopup="dialog"
            onClick={() => (dialog.value = name)}
          >
            <Icon name={icon} />
          </button>
        ))}
      </header>
      <div class="filter">
        <Icon name="search" />
        <input
          type="search"
          aria-label={t.filterRooms}
          placeholder={t.filterRooms}
          value={filter}
          onInput={(event) => (filter.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") filter.value = "";
          }}
        />
      </div>
      <RoomList />
      <footer class="sidebar-foot">
        {me.value && <Avatar user={me.value} small />}
        <span class="sidebar-me">{me.value?.name}</span>
        {totals.value.toRead > 0 && (
          <button
            type="button"
            class="icon-button"
            aria-label={t.readAll}
            title={t.readAll}
            aria-haspopup="dialog"
            onClick={() => (dialog.value = "read-all")}
          >
            <Icon name="check" />
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={t.settings}
          title={t.settings}
          aria-haspopup="dialog"
          onClick={() => (dialog.value = "settings")}
        >
          <Icon name="settings" />
        </button>
      </footer>
    </nav>
  );
}
