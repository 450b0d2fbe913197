import { afterAll } from "bun:test";
import { stopSharedDatabase } from "./database.ts";

afterAll(stopSharedDatabase);
