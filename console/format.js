/** Numbers, sizes and times in words. Times are those of this browser's zone. */
const language = "en";

/** What `make` makes, when it is first asked for: a browser takes milliseconds for a formatter. */
function later(make) {
  let made;
  return () => (made ??= make());
}
const absolute = later(() => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }));
const day = later(() => new Intl.DateTimeFormat(language, { dateStyle: "medium" }));
const money = later(() => new Intl.NumberFormat(language, { style: "currency", currency: "USD", maximumFractionDigits: 4 }));
const plain = later(() => new Intl.NumberFormat(language));

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const number = (value) => plain().format(value);
export const dollars = (value) => money().format(value);

const UNITS = [["h", 3600], ["min", 60], ["s", 1]];

/** `2 min ago` or `in 2 min` within a day, else the day. `Intl` has words for it, too, but its data take 60 ms to load. */
export function ago(time, now = Date.now()) {
  const seconds = (new Date(time) - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  if (size >= 86_400) return date(time);
  const [unit, length] = UNITS.find(([, one]) => size >= one);
  const words = `${Math.round(size / length)} ${unit}`;
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}

export const moment = (time) => absolute().format(new Date(time));
export const date = (time) => day().format(new Date(time));

/** A length of time: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${Math.round(value * 10) / 10} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`;
}

/** A length of time of which only an upper bound is known, as in the usage: `≤ 5 s`; nothing for null. */
export const secondsBound = (value) => (value === null || value === undefined ? "" : `≤ ${seconds(value)}`);

/** Seconds between two times. */
export const between = (from, until) => Math.max(0, (new Date(until) - new Date(from)) / 1000);

export function bytes(value) {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
  }
  return `${value} B`;
}

export const gib = (value) => `${(value / 2 ** 30).toFixed(1)} GiB`;

/** `1 job`, `2 jobs`. */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
export const ordinal = (value) => {
  const rule = new Intl.PluralRules(language, { type: "ordinal" }).select(value);
  return value + ENDINGS[rule];
};

/** A code in words: `gpu_out_of_memory` is `Gpu out of memory`. */
export const words = (code) => {
  const text = String(code).replaceAll("_", " ").replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** Who made a job: `local`, or the name of a remote backend with the reason for it. */
export const backendWords = ({ name, kind, reason }) => (kind === "local" ? "local" : `${name} (${words(reason).toLowerCase()})`);

/** What the service stores, with when its files were counted; nothing of files before they first were. */
export function storedWords({ database, store, store_free, measured_at }) {
  const files = store === null ? [] : [`files ${bytes(store)} (counted ${ago(measured_at)})`];
  const free = store_free === null ? [] : [`${bytes(store_free)} free`];
  return [`database ${bytes(database)}`, ...files, ...free].join(", ");
}

/** The description, tags and labels of an item, as lines that can be typed. */
export const wordsOf = ({ description, tags, labels }) => ({
  description: description ?? "",
  tags: tags.join(", "),
  labels: Object.entries(labels).map(([key, value]) => `${key}: ${value}`).join(", "),
});

/** The words of an item that were changed, as its route takes them: others may have been written meanwhile. */
export function changedWords(before, after) {
  const list = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
  const pairs = (text) => Object.fromEntries(list(text).map((pair) => pair.split(":").map((part) => part.trim())).filter(([key, value]) => key && value));
  const read = { description: (text) => text || null, tags: list, labels: pairs };
  return Object.fromEntries(Object.entries(read).filter(([name]) => before[name] !== after[name]).map(([name, as]) => [name, as(after[name])]));
}
