import type { Room } from "../client/index.ts";
import { goHome, goToRoom, openRoomId } from "./route.ts";
import { api, client, dialog } from "./state.ts";

/** Opens a room that the server has just told of: the list has it at once, and no dialog lies over it. */
export function enter(room: Room): void {
  client.value?.rooms.put(room);
  dialog.value = null;
  goToRoom(room.id);
}

/** Joins an open room, and opens it. @throws ApiError, NetworkError */
export async function join(roomId: number): Promise<void> {
  await api.putMember(roomId, "me");
  enter(await api.room(roomId));
}

/** Opens the direct room with these people; there is one. @throws ApiError, NetworkError */
export async function writeTo(...userIds: number[]): Promise<void> {
  enter(await api.createRoom({ kind: "direct", members: userIds }));
}

/** Takes a room that is no longer mine from the list, and from view. */
export function quit(roomId: number): void {
  client.value?.rooms.drop(roomId);
  dialog.value = null;
  if (openRoomId.value === roomId) goHome();
}
