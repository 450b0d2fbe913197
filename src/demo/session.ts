/** A word for a POSIX shell, whatever is in it. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * The session to paste: sign-in, list, stream.
 * @param url the server's address, without a slash at its end
 */
export function session(url: string, handle: string, password: string): string {
  const address = /^[\w:/.[\]-]+$/.test(url) && !url.includes("[") ? url : quoted(url);
  return `
  Sign in, look at the room list, and see it move:

  curl -s -c jar -H 'content-type: application/json' -d ${quoted(JSON.stringify({ handle, password }))} ${address}/chat/api/session
  curl -s -b jar ${address}/chat/api/rooms
  curl -N -b jar ${address}/chat/api/stream/rooms

  Or in a browser: ${url}/ as ${handle} / ${password}
`;
}
