export { Api } from "./api.ts";
export { Client } from "./client.ts";
export type * from "./contract.ts";
export { ApiError, NetworkError } from "./errors.ts";
export { Outbox, type Pending } from "./outbox.ts";
export { PACE, type Pace } from "./pace.ts";
export { RoomList } from "./rooms.ts";
export type { Status } from "./tabs.ts";
export { Timeline } from "./timeline.ts";
