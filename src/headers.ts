/** What an answer of the API may do in a browser: nothing, not even be shown in a frame. */
const NOTHING = "default-src 'none'; frame-ancestors 'none'";

const EVERYWHERE = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer", // an address of ours has room ids and what people search for
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "cross-origin-opener-policy": "same-origin",
  // Of what a page elsewhere embeds (an image, a script). Pages of ALLOWED_ORIGINS ask by CORS, which this leaves alone.
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": NOTHING,
  // Whatever says nothing else is not kept: it belongs to somebody, or is an error that may be over the next moment.
  "cache-control": "no-store",
};

/** A year. Of this host alone: what else is under its name is not for us to decide. */
const HTTPS_ONLY = { "strict-transport-security": `max-age=${365 * 24 * 3600}` };

/**
 * The headers of every answer, whatever it is: set before anything is looked at, so that errors have them too. An answer's
 * own headers win: those of a page have another policy, and may be kept.
 * @param https whether the client came by it
 */
export const securityHeaders = (https: boolean): Record<string, string> =>
  https ? { ...EVERYWHERE, ...HTTPS_ONLY } : EVERYWHERE;

/**
 * The policy of a page: from this server, only what is named; nothing inline, no frame around it, no form, no other
 * base address.
 */
export const pagePolicy = (...more: string[]): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    ...more,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'", // pages send by script; where that fails, a password must not end up in an address
    "frame-ancestors 'none'",
  ].join("; ");
