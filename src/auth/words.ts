import { text } from "../schema.ts";

const HANDLE = "^[a-z0-9._-]{2,32}$";

export const handle = text({
  minLength: 2,
  maxLength: 32,
  pattern: HANDLE,
  description: "takes 2 to 32 of a-z, 0-9, dot, underscore and dash",
});

export const isHandle = (given: string): boolean => new RegExp(HANDLE).test(given);
