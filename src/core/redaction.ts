const shortestSecret = 4;
/** Fewer characters in the middle of base64 may be chance. */
const shortestMiddle = 8;
const mask = "[secret]";

/**
 * A function that masks every one of these values in a text, however its characters are written there, and of a value
 * that is a URL the password alone too. All places are found before any is masked, so of values that overlap nothing is
 * left over. Values too short to be told from words stay.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const values = new Set(secrets.flatMap((each) => [each, ...passwordsIn(each)]).flatMap(variants));
  const searches = [...values].filter((each) => each.length >= shortestSecret).map(searchFor);
  return (text) => {
    const ranges = searches.flatMap((each) => occurrences(text, each));
    return ranges.length === 0 ? text : masked(text, ranges);
  };
}

/** The password of a URL, as it stands there and decoded; none for another text. Of several hosts each may have a port. */
export function passwordsIn(text: string): string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/?#:@]*:([^/?#]+)@/i.exec(text)?.[1];
  return password === undefined ? [] : [password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** As the redactor, for every text inside a value: masking its JSON could break it (a secret may be `true`). */
export function redactDeep(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each) => redactDeep(each, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [redact(key), redactDeep(each, redact)]));
}

/**
 * A value as programs print it: as it is, each of its lines, with `$` doubled for compose or `\` in JSON, in base64. A key
 * that is given as one line has `\n` where programs put a line break.
 */
function variants(secret: string): string[] {
  const lines = secret.split(/\n|\\n/).map((line) => line.trim());
  const doubled = [secret.replaceAll("$", "$$$$"), secret.replaceAll("\\", "\\\\")];
  const bytes = Buffer.from(secret);
  return [secret, ...lines, ...doubled, bytes.toString("base64"), bytes.toString("base64url"), ...inBase64(bytes)];
}

/** How a value is found in a text. */
interface Search {
  /** Of the value, always written as it is: texts without it, which are most, are left at once. */
  readonly core: string;
  readonly pattern: RegExp;
}

function searchFor(value: string): Search {
  const [core = ""] = value.split(/[^\w~-]+/).toSorted((a, b) => b.length - a.length);
  return { core, pattern: new RegExp(Array.from(value, spellings).join(""), "g") };
}

/**
 * A pattern for a character as it is, in JSON and in a URL or form. Programs differ in which characters they escape (`/`
 * in JSON only PHP does, `&` Go does; `!` in a URL Python), so each may be written in any of these ways.
 */
function spellings(character: string): string {
  if (/^[\w~-]$/.test(character)) return character;
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  const inJson = units.map((unit) => `\\\\u${inHex(unit, 4)}`).join("");
  const inUrl = Array.from(Buffer.from(character), (byte) => `%${inHex(byte, 2)}`).join("");
  const asItIs = character.replace(/[!-~]/, "\\$&");
  return `(?:${[...(shortSpellings[character] ?? []), inJson, inUrl, asItIs].join("|")})`;
}

const shortSpellings: Readonly<Record<string, readonly string[]>> = {
  "\n": ["\\\\n"],
  "\r": ["\\\\r"],
  "\t": ["\\\\t"],
  '"': ['\\\\"'],
  "/": ["\\\\/"],
  " ": ["\\+"],
};

/** A pattern for a number in hexadecimal digits, small or capital. */
function inHex(value: number, length: number): string {
  const digits = value.toString(16).padStart(length, "0");
  return digits.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
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

function occurrences(text: string, { core, pattern }: Search): Range[] {
  const found: Range[] = [];
  if (!text.includes(core)) return found;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    found.push({ from: match.index, to: match.index + match[0].length });
    pattern.lastIndex = match.index + 1;
  }
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
