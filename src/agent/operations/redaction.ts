const shortestSecret = 4;
const mask = "[secret]";

/** A function that replaces every one of these values, longest first, in a text. Values too short to be told from words are left. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const values = [...new Set(secrets.flatMap(variants))].filter((each) => each.length >= shortestSecret);
  values.sort((a, b) => b.length - a.length);
  return (text) => values.reduce((left, value) => left.replaceAll(value, mask), text);
}

/** A value as programs print it: as it is, each of its lines, URL-encoded, escaped in JSON, in base64. */
function variants(secret: string): string[] {
  const lines = secret.includes("\n") ? secret.split("\n").map((line) => line.trim()) : [];
  return [secret, ...lines, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString("base64")];
}
