import { signal } from "@preact/signals";
import { locale, t } from "./words.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** The time, in steps of half a minute: what reads it is drawn anew as time goes by. */
const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, MINUTE / 2);

const minutes = new Intl.NumberFormat(locale, { style: "unit", unit: "minute", unitDisplay: "short" });
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short" });
const dayMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const dayMonthYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const longDay = new Intl.DateTimeFormat(locale, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });

const dayOf = (time: string | number) => new Date(time).setHours(0, 0, 0, 0);
/** The midnight, where the reader is, at which a day is over. */
export const endOfDay = (time: number) => new Date(time).setHours(24, 0, 0, 0);
const daysAgo = (time: string) => Math.round((dayOf(now.value) - dayOf(time)) / DAY);

/** How long ago, as short as it can be said: "now", "5 min", "14:03", "Yesterday", "Tue", "3 Feb". */
export function shortTime(time: string): string {
  const age = now.value - Date.parse(time);
  if (age < MINUTE) return t.now;
  if (age < 60 * MINUTE) return minutes.format(Math.floor(age / MINUTE));
  const days = daysAgo(time);
  if (days <= 0) return clock.format(new Date(time));
  if (days === 1) return t.yesterday;
  if (days < 7) return weekday.format(new Date(time));
  const sameYear = new Date(time).getFullYear() === new Date(now.value).getFullYear();
  return (sameYear ? dayMonth : dayMonthYear).format(new Date(time));
}

export const clockTime = (time: string) => clock.format(new Date(time));
export const fullTime = (time: string) => full.format(new Date(time));

/** A day's name above its messages. */
export function dayName(time: string): string {
  const days = daysAgo(time);
  return days === 0 ? t.today : days === 1 ? t.yesterday : longDay.format(new Date(time));
}
