import { afterAll, afterEach } from "bun:test";
import { endVisits, stopSharedBrowser } from "./browser.ts";
import { stopSharedDatabase } from "./database.ts";

afterEach(endVisits);
afterAll(stopSharedBrowser);
afterAll(stopSharedDatabase);
