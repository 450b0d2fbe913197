import type { Sql } from "../db/client.ts";
import { codeOf, isBroken, isDuplicate, isUnavailable } from "../db/errors.ts";
import { type Announce, roomChanged } from "../live/hints.ts";
import type { Message } from "./queries.ts";
import { explainRefusal, insertMessage, insertMessages, type NewMessage } from "./send.ts";

/** Statements at a time; another than the first only for what fills it. More and smaller ones cost more, in all and each. */
const MOST_STATEMENTS = 2;
/** Messages of one statement at most: more make it no cheaper for each, and all of them wait for the last. */
const MOST_MESSAGES = 128;
/** UTF-16 units of their texts at most, unless one alone has more: to index so much takes Postgres up to 0.1 s. */
const MOST_LENGTH = 32_768;

/** A message on its way, and who waits for what becomes of it. */
interface Waiting {
  readonly message: NewMessage;
  resolve(sent: Message | undefined): void;
  reject(error: unknown): void;
}

/**
 * Sends messages. While statements are under way, the next messages gather, and go with one that follows, of however
 * many rooms: the more is sent, the larger the groups, not the more of them. Of a room one statement is under way at a
 * time. Where nothing is, nothing is waited for.
 *
 * A statement of many rooms waits for no lock: whose room or membership others have locked goes in a statement of that
 * room's alone, so that whoever holds a room holds up nobody else.
 */
export class Outgoing {
  /** Who waits, by room, in the order in which they came. A room stays as long as something of it is under way. */
  readonly #rooms = new Map<number, Waiting[]>();
  /** Rooms in which somebody waits and nothing is under way, in the order of their turns. */
  readonly #turns: number[] = [];
  #underWay = 0;

  /** @param announce told of each room that a statement changed */
  constructor(
    private readonly sql: Sql,
    private readonly announce: Announce,
  ) {}

  /**
   * Sends a message; its sender has read the room up to it.
   * @returns the message, and whether it is new: the same `clientId` again gives the first one
   * @throws Problem 404 `room-not-found`, 409 `client-id-reused`, 422 for a `replyTo` that is not there; or what the
   * database's client threw: the message may be there then, and the same `clientId` again tells
   */
  async send(message: NewMessage): Promise<{ message: Message; isNew: boolean }> {
    try {
      const sent = await this.#insert(message);
      if (sent) return { message: sent, isNew: true };
    } catch (error) {
      if (!isDuplicate(error, "messages_client_id")) throw error;
    }
    return { message: await explainRefusal(this.sql, message), isNew: false };
  }

  #insert(message: NewMessage): Promise<Message | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Message | undefined>();
    const one = { message, resolve, reject };
    const waiting = this.#rooms.get(message.roomId);
    if (waiting) waiting.push(one);
    else {
      this.#rooms.set(message.roomId, [one]);
      this.#turns.push(message.roomId);
      this.#start();
    }
    return promise;
  }

  #start(): void {
    while (this.#underWay === 0 ? this.#turns.length > 0 : this.#underWay < MOST_STATEMENTS && this.#isFull())
      void this.#deliver(this.#nextGroup());
  }

  /** Whether those whose turn it is fill a statement. */
  #isFull(): boolean {
    let count = 0;
    for (const roomId of this.#turns) {
      count += this.#rooms.get(roomId)?.length ?? 0;
      if (count >= MOST_MESSAGES) return true;
    }
    return false;
  }

  /** Takes those whose turn it is, of as many rooms as fit. */
  #nextGroup(): Waiting[] {
    const group: Waiting[] = [];
    let length = 0;
    const fits = ({ message }: Waiting) => {
      length += message.body.length;
      return group.length === 0 || (group.length < MOST_MESSAGES && length <= MOST_LENGTH);
    };
    for (let roomId = this.#turns[0]; roomId !== undefined; roomId = this.#turns[0]) {
      const waiting = this.#rooms.get(roomId) as Waiting[];
      let count = 0;
      for (let one = waiting[0]; one && fits(one); one = waiting[++count]) group.push(one);
      if (count === 0) break;
      waiting.splice(0, count);
      this.#turns.shift();
    }
    return group;
  }

  /** Sends a group, as far as nobody else has locked what it needs; then each room goes its own way. */
  async #deliver(group: Waiting[]): Promise<void> {
    this.#underWay++;
    const { sent, failure } = await this.#try(group, true);
    this.#underWay--;
    if (isAway(failure)) this.#giveUp(group, failure);
    const left = isAway(failure) ? [] : this.#settle(group, sent);
    const leftOf = Map.groupBy(left, ({ message }) => message.roomId);
    for (const roomId of roomsOf(group)) {
      const rest = leftOf.get(roomId);
      if (rest) void this.#insist(roomId, rest);
      else this.#queue(roomId);
    }
    this.#start();
  }

  /** Sends what was left out, waiting for whoever has locked it. */
  async #insist(roomId: number, left: Waiting[]): Promise<void> {
    await this.#sendOrHalve(left);
    this.#queue(roomId);
    this.#start();
  }

  /** Nothing of a room is under way any more: whoever has come meanwhile gets in line. */
  #queue(roomId: number): void {
    if (this.#rooms.get(roomId)?.length) this.#turns.push(roomId);
    else this.#rooms.delete(roomId);
  }

  /** Sends messages of one room. If one of them makes the statement fail, nothing is sent, and the others go without it. */
  async #sendOrHalve(some: Waiting[]): Promise<void> {
    const { sent, failure } = await this.#try(some, false);
    if (isAway(failure)) {
      this.#giveUp(some, failure);
      return;
    }
    if (failure === undefined) {
      for (const { resolve } of this.#settle(some, sent)) resolve(undefined);
      return;
    }
    if (some.length === 1) {
      some[0]?.reject(failure);
      return;
    }
    const half = some.length >> 1;
    await this.#sendOrHalve(some.slice(0, half));
    await this.#sendOrHalve(some.slice(half));
  }

  /** One statement. @returns what was sent, message by message; if it failed, nothing */
  async #try(
    some: Waiting[],
    passBy: boolean,
  ): Promise<{ sent: (Message | undefined)[]; failure?: unknown }> {
    const messages = some.map(({ message }) => message);
    const [only] = messages;
    try {
      const sent =
        only && messages.length === 1
          ? [await insertMessage(this.sql, only, passBy)]
          : await insertMessages(this.sql, messages, passBy);
      return { sent };
    } catch (failure) {
      return { sent: [], failure };
    }
  }

  /** Tells what was sent. @returns who was not */
  #settle(some: Waiting[], sent: (Message | undefined)[]): Waiting[] {
    const changed = new Set(sent.flatMap((message) => message?.roomId ?? []));
    if (changed.size > 0) this.announce(...Array.from(changed, roomChanged));
    return some.filter(({ resolve }, i) => {
      if (sent[i]) resolve(sent[i]);
      return !sent[i];
    });
  }

  /**
   * Fails those in a statement that the database did not answer, and who waits behind them: they have waited for as long,
   * and one deadline is enough. When the connection broke, everybody.
   */
  #giveUp(group: Waiting[], failure: unknown): void {
    const everybody = isBroken(failure) ? this.#turns.splice(0) : [];
    const behind = [...roomsOf(group), ...everybody].flatMap(
      (roomId) => this.#rooms.get(roomId)?.splice(0) ?? [],
    );
    for (const roomId of everybody) this.#rooms.delete(roomId);
    for (const { reject } of [...group, ...behind]) reject(failure);
  }
}

const roomsOf = (group: Waiting[]): Set<number> => new Set(group.map(({ message }) => message.roomId));

/** Whether nothing is to be had from the database now. After a deadlock or the like (40…), the same again may succeed. */
const isAway = (failure: unknown): boolean => isUnavailable(failure) && !codeOf(failure).startsWith("40");
