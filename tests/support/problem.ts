import { expect } from "bun:test";

/** What no client is ever told: words of the database, of the code, or of its files. */
export const INNER =
  /postgres|sql|syntax|violat|relation|column|constraint|elysia|typebox|\.ts\b|\/src\/|node_modules|\bat .+:\d+:\d+|undefined|\[object/i;

/** Holds a response to the form of a problem document. @returns it */
export function checkProblem(response: { status: number; headers: Headers }, text: string): any {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const problem = JSON.parse(text);
  const { errors, ...rest } = problem;
  expect(rest).toEqual({
    type: "about:blank",
    title: expect.stringMatching(/^[A-Z]/),
    status: response.status,
    detail: expect.stringMatching(/./),
    code: expect.stringMatching(/^[a-z]+(-[a-z]+)*$/),
  });
  for (const error of errors ?? []) {
    expect(error).toEqual({ path: expect.stringMatching(/^(\/|$)/), message: expect.stringMatching(/./) });
  }
  expect(text).not.toMatch(INNER);
  return problem;
}

/** The same of a response that is still to be read. */
export const problemOf = async (response: Response): Promise<any> =>
  checkProblem(response, await response.text());
