import type { Subscriber } from "./subscriber.ts";

/** One person with at least one open stream. */
export class Person {
  readonly streams = new Set<Subscriber>();
  /** The rooms they are in, as far as the last answers told; null: not asked for yet. */
  rooms: Set<number> | null = null;
  /** Rooms that may have changed. */
  readonly dirty = new Set<number>();
  /** All of them may have. */
  recheck = false;
  /** Up to where every stream has been told everything; "" before the first answer. */
  verified = "";
  /** The versions that were told since `verified`: the next check brings them again. */
  told = new Map<number, string>();

  constructor(readonly userId: number) {}

  /** How many rooms a look at all of them has to look at. */
  get weight(): number {
    return 1 + (this.rooms?.size ?? 0);
  }
}

/** Who listens: the open streams by person, by room and by what gives them the right. */
export class Audience {
  readonly #people = new Map<number, Person>();
  readonly #byRoom = new Map<number, Set<Person>>();
  readonly #byCredential = new Map<string, Set<Subscriber>>();

  /** Registers a stream with its person. @returns whether it is their first one */
  add(stream: Subscriber): boolean {
    const person = this.#people.get(stream.userId) ?? new Person(stream.userId);
    this.#people.set(stream.userId, person);
    person.streams.add(stream);
    addTo(this.#byCredential, stream.credential, stream);
    return person.streams.size === 1;
  }

  /** Forgets a stream, once or many times. @returns the person whose last one it was */
  remove(stream: Subscriber): Person | undefined {
    removeFrom(this.#byCredential, stream.credential, stream);
    const person = this.#people.get(stream.userId);
    if (!person?.streams.delete(stream) || person.streams.size > 0) return undefined;
    for (const roomId of person.rooms ?? []) removeFrom(this.#byRoom, roomId, person);
    this.#people.delete(stream.userId);
    return person;
  }

  /** The person, while a stream of theirs is open. */
  find(userId: number): Person | undefined {
    return this.#people.get(userId);
  }

  /** Whether this is still the person that it was: one who went and came back is another. */
  holds(person: Person): boolean {
    return this.#people.get(person.userId) === person;
  }

  people(): Person[] {
    return [...this.#people.values()];
  }

  inRoom(roomId: number): Iterable<Person> {
    return this.#byRoom.get(roomId) ?? [];
  }

  byCredential(credential: string): Subscriber[] {
    return [...(this.#byCredential.get(credential) ?? [])];
  }

  credentials(): string[] {
    return [...this.#byCredential.keys()];
  }

  /** From now on a change of the room concerns the person. @returns whether it did not before */
  enter(person: Person, roomId: number): boolean {
    // An answer that was under way must not bring back who has gone.
    if (!this.holds(person) || person.rooms?.has(roomId)) return false;
    person.rooms?.add(roomId);
    addTo(this.#byRoom, roomId, person);
    return true;
  }

  /** From now on it does not. */
  exit(person: Person, roomId: number): void {
    if (person.rooms?.delete(roomId)) removeFrom(this.#byRoom, roomId, person);
  }

  get size() {
    let streams = 0;
    for (const { size } of this.#byCredential.values()) streams += size;
    return { streams, people: this.#people.size, rooms: this.#byRoom.size };
  }
}

function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
}

function removeFrom<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set?.delete(value) && set.size === 0) sets.delete(key);
}
