export { Api } from "./api.ts";
export { Client, type Status } from "./client.ts";
export type * from "./contract.ts";
export { ApiError, NetworkError } from "./errors.ts";
export { Outbox, type Pending } from "./outbox.ts";
export { RoomList } from "./rooms.ts";
export { Timeline } from "./timeline.ts";
