import { afterAll, setDefaultTimeout } from "bun:test";
import { stopSharedDatabase } from "./database.ts";

// A bound for what hangs, far above what any test takes on a busy machine.
setDefaultTimeout(60_000);
afterAll(stopSharedDatabase);
