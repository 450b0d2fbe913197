import type { Reply } from "./client.ts";

/** What was answered, in a word or two: `200`, `404 room-not-found`. */
export async function answer(reply: Promise<Reply<any>>): Promise<string> {
  const { status, body } = await reply;
  return status < 300 ? String(status) : `${status} ${body?.code}`;
}

/** How often each answer was given. */
export async function answers(replies: Promise<Reply<any>>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const given of await Promise.all(replies.map(answer))) counts[given] = (counts[given] ?? 0) + 1;
  return counts;
}
