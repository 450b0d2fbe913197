import type { Sql } from "../db/client.ts";
import { codeOf, isBroken, isDuplicate, isUnavailable } from "../db/errors.ts";
import { Slots } from "../db/slots.ts";
import { type Announce, roomChanged } from "../live/hints.ts";
import type { Message } from "./queries.ts";
import { explainRefusal, insertMessage, insertMessages, type NewMessage, type Way } from "./send.ts";

/** Statements at a time; another than the first only for what fills it. More and smaller ones cost more, in all and each. */
const MOST_STATEMENTS = 2;
/** Statements that wait for others' locks, at a time: each keeps a connection of the pool from everything else. */
const MOST_WAITING = 4;
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
 * Such a statement waits for no lock, so that whoever holds a room or a membership holds up nobody else. What it passes
 * by goes in a statement of that room's alone, which waits for the room; and what that one passes by, as the senders'
 * memberships are locked, in one of each sender's, which waits for that too while the room goes on.
 */
export class Outgoing {
  /** Who waits, by room, in the order in which they came. A room stays as long as something of it is under way. */
  readonly #rooms = new Map<number, Waiting[]>();
  /** Rooms in which somebody waits and nothing is under way, in the order of their turns. */
  readonly #turns: number[] = [];
  #underWay = 0;
  readonly #slots = new Slots(MOST_WAITING);
  /** Who waits behind a statement that waits for the sender's membership, by room and sender. */
  readonly #apart = new Map<string, Waiting[]>();

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
    this.#line({ message, resolve, reject });
    return promise;
  }

  /** Puts one in its room's line. */
  #line(one: Waiting): void {
    const { roomId } = one.message;
    const waiting = this.#rooms.get(roomId);
    if (waiting) waiting.push(one);
    else {
      this.#rooms.set(roomId, [one]);
      this.#turns.push(roomId);
      this.#start();
    }
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
    const left = await this.#send(group, "free");
    this.#underWay--;
    const leftOf = Map.groupBy(left, ({ message }) => message.roomId);
    for (const roomId of roomsOf(group)) {
      const rest = leftOf.get(roomId);
      if (rest) void this.#waitForRoom(roomId, rest);
      else this.#queue(roomId);
    }
    this.#start();
  }

  /** Sends what was left of a room; then each sender whose membership is locked goes its own way. */
  async #waitForRoom(roomId: number, some: Waiting[]): Promise<void> {
    const left = await this.#send(some, "room");
    this.#queue(roomId);
    this.#start();
    for (const rest of Map.groupBy(left, ({ message }) => message.senderId).values())
      void this.#waitForMembership(rest);
  }

  /** Sends what was left of one sender in one room. What comes to be left meanwhile gets in line again afterwards. */
  async #waitForMembership(some: Waiting[]): Promise<void> {
    const key = keyOf(some);
    const line = this.#apart.get(key);
    if (line) {
      line.push(...some);
      return;
    }
    const behind: Waiting[] = [];
    this.#apart.set(key, behind);
    for (const { resolve } of await this.#send(some, "wait")) resolve(undefined);
    this.#apart.delete(key);
    for (const one of behind) this.#line(one);
  }

  /** Nothing of a room is under way any more: whoever has come meanwhile gets in line. */
  #queue(roomId: number): void {
    if (this.#rooms.get(roomId)?.length) this.#turns.push(roomId);
    else this.#rooms.delete(roomId);
  }

  /** Sends messages, of one room unless the way is free. @returns those that are neither sent nor failed */
  async #send(some: Waiting[], way: Way): Promise<Waiting[]> {
    try {
      if (way === "free") return await this.#sendOrHalve(some, way);
      return await this.#slots.run(() => this.#sendOrHalve(some, way));
    } catch (failure) {
      this.#giveUp(some, way, failure);
      return [];
    }
  }

  /**
   * If one message makes a statement fail, nothing is sent, and the others go without it: half of them after the other.
   * @throws if the database is away
   */
  async #sendOrHalve(some: Waiting[], way: Way): Promise<Waiting[]> {
    const { sent, failure } = await this.#try(some, way);
    if (sent) return this.#settle(some, sent);
    if (isAway(failure)) throw failure;
    if (some.length === 1) {
      some[0]?.reject(failure);
      return [];
    }
    const half = some.length >> 1;
    const left = await this.#sendOrHalve(some.slice(0, half), way);
    return [...left, ...(await this.#sendOrHalve(some.slice(half), way))];
  }

  /** One statement. @returns what was sent, message by message; or why nothing was */
  async #try(some: Waiting[], way: Way): Promise<{ sent?: (Message | undefined)[]; failure?: unknown }> {
    const messages = some.map(({ message }) => message);
    const [only] = messages;
    try {
      const sent =
        only && messages.length === 1
          ? [await insertMessage(this.sql, only, way)]
          : await insertMessages(this.sql, messages, way);
      return { sent };
    } catch (failure) {
      return { failure };
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
   * Fails those that the database did not answer (who was answered before stays so), and those who have waited for as
   * long, as one deadline is enough: behind one sender the sender's, behind a room the room's. Behind a statement that
   * waits for no lock, or on a connection that broke, everybody whose turn had not come.
   */
  #giveUp(some: Waiting[], way: Way, failure: unknown): void {
    const everybody = way === "free" || isBroken(failure) ? this.#turns.splice(0) : [];
    const rooms = way === "wait" ? everybody : [...roomsOf(some), ...everybody];
    const behind = rooms.flatMap((roomId) => this.#rooms.get(roomId)?.splice(0) ?? []);
    for (const roomId of everybody) this.#rooms.delete(roomId);
    const apart = (way === "wait" && this.#apart.get(keyOf(some))?.splice(0)) || [];
    for (const { reject } of [...some, ...behind, ...apart]) reject(failure);
  }
}

const roomsOf = (group: Waiting[]): Set<number> => new Set(group.map(({ message }) => message.roomId));

/** Whose they all are: a room's and a sender's. */
const keyOf = ([one]: Waiting[]): string => `${one?.message.roomId}.${one?.message.senderId}`;

/** Whether nothing is to be had from the database now. After a deadlock or the like (40…), the same again may succeed. */
const isAway = (failure: unknown): boolean => isUnavailable(failure) && !codeOf(failure).startsWith("40");
