import { dlopen } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";

const LOCK_EX = 2;
const LOCK_NB = 4;

let flock: ((fd: number, operation: number) => number) | undefined;

/**
 * Takes the lock of a file, which is made if there is none, without waiting.
 *
 * It is the kernel's lock (flock) and belongs to the open file: whoever inherits the descriptor holds it on, and it is
 * free once the last of them has ended, however that was. So there is no stale lock, and no process id to be believed.
 * @returns the descriptor that holds it, to hand on and to close; null if it is taken
 */
export function tryLock(file: string): number | null {
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
  flock ??= dlopen(library, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock;
  const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (flock(descriptor, LOCK_EX | LOCK_NB) === 0) return descriptor;
  closeSync(descriptor);
  return null;
}
