import { addTo, removeFrom } from "../sets.ts";
import type { ListSubscription } from "./subscription.ts";

/** One person with at least one open room list. */
export class Person {
  readonly lists = new Set<ListSubscription>();
  /** The rooms they are in, as far as the last answers told; null: not asked for yet. */
  rooms: Set<number> | null = null;
  /** Rooms that may have changed. */
  readonly dirty = new Set<number>();
  /** All of them may have. */
  recheck = false;
  /** Up to where every list has been told everything; "" before the first answer. */
  verified = "";
  /** The versions that were told since `verified`: the next check brings them again. */
  told = new Map<number, string>();

  constructor(readonly userId: number) {}

  /** How many rooms a look at all of them has to look at. */
  get weight(): number {
    return 1 + (this.rooms?.size ?? 0);
  }
}

/** Who listens to room lists: by person and by room. */
export class Audience {
  readonly #people = new Map<number, Person>();
  readonly #byRoom = new Map<number, Set<Person>>();

  /** Registers a list with its person. */
  add(list: ListSubscription): void {
    const person = this.#people.get(list.userId) ?? new Person(list.userId);
    this.#people.set(list.userId, person);
    person.lists.add(list);
  }

  /** Forgets a list, once or many times. @returns the person whose last one it was */
  remove(list: ListSubscription): Person | undefined {
    const person = this.#people.get(list.userId);
    if (!person?.lists.delete(list) || person.lists.size > 0) return undefined;
    for (const roomId of person.rooms ?? []) removeFrom(this.#byRoom, roomId, person);
    this.#people.delete(list.userId);
    return person;
  }

  /** The person, while a list of theirs is open. */
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
    return { people: this.#people.size, rooms: this.#byRoom.size };
  }
}
