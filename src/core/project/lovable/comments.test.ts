import { expect, test } from "@jest/globals";
import { withoutComments } from "./comments.ts";

test.each([
  [`a; // b`, `a; `],
  [`/** a\n * b */\nc`, `\nc`],
  [`a({ /* b */ c })`, `a({  c })`],
  [`"https://a // b" + 'it\\'s /* c */'`, `"https://a // b" + 'it\\'s /* c */'`],
  ["`/* a */${b}`", "`/* a */${b}`"],
  [`accept="image/*"; a; b="video/*"; /* c */`, `accept="image/*"; a; b="video/*"; `],
  [`<p>Don't</p>; url.replace(/^https?:\\/\\//, ""); <a>https://a</a>`, undefined],
])("of %j its comments go, and no code", (code, left = code) => {
  expect(withoutComments(code)).toBe(left);
});
