/** What the demo's people are called: plain first names; further people get a number behind. */
export const NAMES =
  "ada ben carla dan eva finn greta hugo iris jonas kim lena mara nils olga paul quinn rosa sam tara uma vera wim xenia yara zoe amir bea cleo dora emil fay gus hana ivo jana kurt lara milo nora otto pia rafa sven tess ulla vito wanda yuri alma bo cyra dina elio fred gina hal ines jule".split(
    " ",
  );

/** What rooms are called, the busiest first; further rooms get two of these words. */
export const ROOM_NAMES =
  "general random engineering design support product lunch releases marketing data ops music books cycling hiring docs mobile sales games travel photos security kitchen plants research films events garden coffee weekend".split(
    " ",
  );

export const TOPICS = [
  "Say hello, ask anything",
  "Links, thoughts, cats",
  "What we ship and when",
  "Please search before you ask",
  "Be kind; threads are cheap",
  "Notes are pinned in the wiki",
];

/** What people talk about; takes the place of `{}` in a line. */
export const THINGS =
  "the release|the new search|the login page|the roadmap|the backup|the invoice|the onboarding|the mobile build|the staging server|the room list|the migration|the dashboard|the billing job|the survey|the style guide|the release notes|the demo|the price list|the welcome mail|the contract|the night build|the load test|the logo|the agenda|the coffee machine|the printer|the photo wall|the budget|the index page|the error budget|the cache|the new laptop|the summer party|the meeting room|the help page|the import|the export|the nightly report|the queue|the second draft|the landing page|the quarterly numbers|the workshop|the train tickets|the parking space|the plants|the translation|the test plan|the keyboard shortcut|the dark theme|the feedback form|the calendar|the old wiki|the sign-up flow|the webhook|the certificate|the playlist|the whiteboard".split(
    "|",
  );

/** The first 22 are said alone; long messages are made of the others (bodies.sql). */
export const LINES = [
  "ok",
  "thanks!",
  "on it",
  "done",
  "sounds good",
  "agreed",
  "good point",
  "not yet",
  "same here",
  "nice one",
  "back in ten minutes",
  "let me check",
  "I was wondering the same",
  "no hurry",
  "that works for me",
  "see you there",
  "good morning, everyone",
  "off for lunch",
  "who is in today?",
  "does anybody have a minute?",
  "can we move the call to three?",
  "where did we land on this?",
  "I looked at {} this morning",
  "has anyone seen {}?",
  "who owns {} these days?",
  "{} looks much better now",
  "could someone review {} before noon?",
  "I pushed a fix for {}",
  "{} is slow again, is it only me?",
  "we should talk about {} tomorrow",
  "I wrote up some notes on {}",
  "{} is ready from my side",
  "what is the plan for {}?",
  "when do we need {}?",
  "I will take care of {}",
  "please do not touch {} until Monday",
  "{} broke after the update, I am looking into it",
  "turns out {} was fine all along",
  "I would rather start with {}",
  "how did {} go?",
  "{} can wait until next week",
  "two people asked me about {} today",
  "here is what I know about {}: it worked yesterday",
  "I am not sure that we need {} at all",
  "the customers love {}",
  "can you show me {} after lunch?",
  "let us keep {} simple",
  "I have a question about {}",
  "any news on {}?",
  "{} is back, sorry for the noise",
  "I think we forgot {}",
  "is {} meant to look like this?",
];

/** Said before a line, in one message of four. */
export const OPENERS = [
  "hm,",
  "by the way,",
  "so,",
  "hey,",
  "quick one:",
  "oh,",
  "well,",
  "fyi:",
  "just saying,",
  "update:",
];

/** Said after a line, in one message of eight. */
export const TAILS = ["🙂", "👍", "🎉", "☕", "😅", "🙏", "🚀", "👀", "🌱", "…", "!", "(no rush)"];
