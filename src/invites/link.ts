/** Days for which an invite counts, unless it is said otherwise; and the most. */
export const DAYS = { usual: 7, most: 365 };

/** Where the page takes an invite. @param url the server's address, without a slash at the end */
export const inviteLink = (url: string, code: string): string => `${url}/#/invite/${code}`;
