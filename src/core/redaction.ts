const shortestSecret = 4;
/** Fewer characters in the middle of base64 may be chance. */
const shortestMiddle = 8;
const mask = "[secret]";

/**
 * A function that masks every one of these values in a text. All places are found before any is masked, so of
 * values that overlap nothing is left over. Values too short to be told from words stay.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const values = [...new Set(secrets.flatMap(variants))].filter((each) => each.length >= shortestSecret);
  return (text) => {
    const ranges = values.flatMap((value) => occurrences(text, value));
    return ranges.length === 0 ? text : masked(text, ranges);
  };
}

/** As the redactor, for every text inside a value: masking its JSON could break it (a secret may be `true`). */
export function redactDeep(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each) => redactDeep(each, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [redact(key), redactDeep(each, redact)]));
}

/** A value as programs print it: as it is, each of its lines, in a URL, escaped in JSON and for compose, in base64. */
function variants(secret: string): string[] {
  const lines = secret.split("\n").map((line) => line.trim());
  const bytes = Buffer.from(secret);
  return [
    secret,
    ...lines,
    // By way of bytes: a lone surrogate, which JSON may carry, has no URL encoding.
    ...inUrl(bytes.toString("utf8")),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll("$", "$$$$"),
    bytes.toString("base64"),
    bytes.toString("base64url"),
    ...inBase64(bytes),
  ];
}

/** As a component, in a form, and as the password of a URL: each leaves other characters as they are. */
function inUrl(text: string): string[] {
  const url = new URL("http://host");
  url.username = "user";
  url.password = text;
  return [encodeURIComponent(text), new URLSearchParams({ "": text }).toString().slice(1), url.password];
}

/** What is left of it in the base64 of a longer text (`user:password`), wherever in that it begins. */
function inBase64(bytes: Buffer): string[] {
  const middles = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The first and the last character may hold bits of what stands around it.
    const isWhole = (before + bytes.length) % 3 === 0;
    return encoded.slice(Math.ceil((before * 4) / 3), isWhole ? undefined : -1);
  });
  const long = middles.filter((each) => each.length >= shortestMiddle);
  return [...long, ...long.map((each) => each.replaceAll("+", "-").replaceAll("/", "_"))];
}

interface Range {
  from: number;
  to: number;
}

function occurrences(text: string, value: string): Range[] {
  const found: Range[] = [];
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1))
    found.push({ from: at, to: at + value.length });
  return found;
}

function masked(text: string, ranges: Range[]): string {
  let result = "";
  let done = 0;
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    if (to <= done) continue;
    // One that overlaps the last goes under the same mask; one that merely follows it gets its own.
    if (from >= done) result += text.slice(done, from) + mask;
    done = to;
  }
  return result + text.slice(done);
}
