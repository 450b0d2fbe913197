const plural = new Intl.PluralRules("en");
const many = (n: number, one: string, other: string) =>
  `${n.toLocaleString("en")} ${plural.select(n) === "one" ? one : other}`;

/** Every string of the page, in English. The other languages have the same shape. */
export const en = {
  close: "Close",
  cancel: "Cancel",
  back: "Back to the rooms",
  skip: "Skip to the conversation",
  startFailed: "The server does not answer yet. Trying again …",
  reconnecting: "Reconnecting …",
  offline: "You are offline. What you send will go out when you are back.",
  polling: "Live updates do not get through; asking every few seconds instead.",

  // Rooms
  rooms: "Rooms",
  filterRooms: "Filter rooms",
  noRoomsYet: "You are in no room yet.",
  noRoomsYetHint: "Join an open room, or make one of your own.",
  noRoomMatches: "No room matches.",
  chooseRoom: "Choose a room to read and write in.",
  newRoom: "New room",
  newDirect: "New direct message",
  openRooms: "Find open rooms",
  settings: "Settings",
  noMessages: "No messages yet",
  you: "You",
  youSaid: (text: string) => `You: ${text}`,
  alone: "Only you",
  online: "online",
  unread: (n: number) => many(n, "unread message", "unread messages"),
  mentions: (n: number) => many(n, "mention", "mentions"),
  markedUnread: "marked as unread",
  muted: "muted",
  readAll: "Mark everything as read",
  closedRoom: "by invitation",

  // A room
  messages: "Messages",
  memberCount: (n: number) => many(n, "member", "members"),
  members: "Members",
  search: "Search",
  roomSettings: "Room settings",
  roomGone: "This room is no longer yours to see.",
  roomGoneHint: "It was removed, or you are no longer a member.",
  loadingMessages: "Loading messages …",
  messagesFailed: "The messages could not be loaded.",
  tryAgain: "Try again",
  beginning: "This is where it begins.",
  newMessages: "New messages",
  jumpToUnread: (n: number) => `Jump to the first of ${many(n, "unread message", "unread messages")}`,
  jumpToEnd: "Jump to the newest message",
  edited: "edited",
  deleted: "This message was deleted.",
  replyGone: "a message further back",
  seenBy: (names: string) => `Seen by ${names}`,
  seen: "Seen",
  typing: (names: string[]) =>
    names.length === 1
      ? `${names[0]} is typing …`
      : names.length === 2
        ? `${names[0]} and ${names[1]} are typing …`
        : "Several people are typing …",
  /** What the server tells of a room. */
  told: {
    joined: (name: string) => `${name} joined the room`,
    left: (name: string) => `${name} left the room`,
    added: (name: string, whom: string) => `${name} added ${whom}`,
    removed: (name: string, whom: string) => `${name} removed ${whom}`,
    renamed: (name: string, to: string) => `${name} renamed the room to “${to}”`,
  },
  newMessageFrom: (name: string, text: string) => `${name}: ${text}`,

  // Writing
  write: (room: string) => `Write to ${room}`,
  send: "Send",
  sending: "Sending …",
  waiting: "Not sent yet; trying again.",
  refused: (why: string) => `Not sent: ${why}`,
  retry: "Send again",
  discard: "Discard",
  replyingTo: (name: string) => `Replying to ${name}`,
  stopReplying: "Do not reply",
  editing: "Edit message",
  save: "Save",
  tooLong: (n: number) => `${many(n, "character", "characters")} too long`,
  mentionSomebody: "Mention somebody",

  // What can be done with a message
  actions: "What to do with this message",
  reply: "Reply",
  react: "React",
  edit: "Edit",
  delete: "Delete",
  deleteSure: "Delete this message for everybody?",
  markUnread: "Mark unread from here",
  reactions: "Reactions",
  reactionBy: (emoji: string, names: string) => `${emoji} by ${names}`,
  andOthers: (names: string, n: number) => `${names} and ${many(n, "other", "others")}`,
  chooseReaction: "Choose a reaction",

  // Signing in and up
  tagline: "Rooms, messages, and what is new.",
  signIn: "Sign in",
  signUp: "Make an account",
  signOut: "Sign out",
  toSignUp: "New here? Make an account",
  toSignIn: "Have an account? Sign in",
  handle: "Handle",
  handleHint: "2 to 32 of a–z, 0–9, dot, dash and underscore. Others mention you by it.",
  name: "Name",
  nameHint: "What others see.",
  password: "Password",
  passwordHint: "At least 8 characters.",

  /** What is wrong with a field, by its name in the API. */
  fieldFaults: {
    handle: "2 to 32 characters of a–z, 0–9, dot, dash and underscore.",
    name: "A name has 1 to 80 characters.",
    topic: "A topic has at most 250 characters.",
    password: "A password has 8 to 256 characters.",
    next: "A password has 8 to 256 characters.",
    current: "This is not your password.",
    body: "A message has 1 to 10,000 characters.",
  } as Record<string, string>,
  /** Errors by their code in the API. */
  problems: {
    "handle-taken": "This handle is taken. Choose another one.",
    "bad-credentials": "The handle or the password is wrong.",
    unauthenticated: "You are signed out.",
    forbidden: "You are not allowed to do that.",
    "bad-origin": "The server does not expect this page at this address.",
    "room-not-found": "This room is not there, or not yours to see.",
    "message-not-found": "This message is not there.",
    "user-not-found": "This person is not there.",
    "client-id-reused": "This was sent already, with another text.",
    "body-too-large": "That is too long.",
    "rate-limited": "That was too much at once. Wait a moment.",
    unavailable: "The server cannot do that right now. Try again in a moment.",
    invalid: "The server does not accept that.",
  } as Record<string, string>,
  networkFault: "The server cannot be reached. Check the connection.",
  unknownFault: "Something went wrong. Try again.",

  // Time
  today: "Today",
  yesterday: "Yesterday",
  now: "now",
};
