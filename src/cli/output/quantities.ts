/** A duration for people: `0.4 s`, `12 s`, `3 min 5 s`, `2 h`, `4 days`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** How long ago something was: `3 min ago`. Clocks that differ by a little never give a time in the future. */
export function formatAge(atMs: number, nowMs: number): string {
  const seconds = Math.floor(Math.max(0, nowMs - atMs) / 1000);
  if (seconds < 60) return `${seconds} s ago`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`;
}

/** A moment for people, in UTC and to the second: `2026-11-23 05:53:36Z`. */
export function formatMoment(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** A size for people: `812 B`, `1.4 MB`, `23 GB`; powers of 1000, as Docker tells them. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [size, unit] = [bytes, 0];
  for (; size >= 999.5 && unit < units.length - 1; unit += 1) size /= 1000;
  return `${unit === 0 || size >= 9.95 ? Math.round(size) : size.toFixed(1)} ${units[unit] ?? "B"}`;
}

/** The first twelve digits of a `sha256:…`, as people compare them; other texts as they are. */
export function shortDigest(digest: string): string {
  const hex = /^sha256:([0-9a-f]{12})[0-9a-f]{52}$/.exec(digest)?.[1];
  return hex ?? digest;
}

/** An image or bundle reference with its digest cut short: `registry/shop@1f2e3d4c5b6a`. */
export function shortReference(reference: string): string {
  return reference.replace(/@sha256:([0-9a-f]{12})[0-9a-f]{52}$/, "@$1");
}
