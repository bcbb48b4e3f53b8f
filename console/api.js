/** Calls of the public API, with the cookie of this browser's session. The console has no API of its own. */
import { useEffect, useRef, useState } from "./html.js";

const files = new URL(".", import.meta.url).pathname; // …/console/~<version>/
/** The path that a proxy strips, "" without one. */
export const root = files.replace(/\/console\/~[^/]+\/$/, "");
export const home = `${root}/console`;
/** Dispatches "signed-out" when an answer is 401. */
export const session = new EventTarget();

/** An answer that is an error: the API's own sentence, and the field at fault. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || "The service did not say what is wrong.");
    this.status = status;
    this.code = body.code || "unknown";
    /** Where it is in the body: `width` of `$.width`, or `shots[1].prompt`. */
    this.path = (body.field || "").replace(/^\$\./, "");
    /** The field of the body that has it, as `shots` of that. */
    this.field = this.path.replace(/[.[].*$/, "");
    this.requestId = body.request_id;
  }
}

const AWAY = { code: "no_answer", detail: "The service does not answer. Jobs that were accepted are safe; this page tries again." };

/**
 * Send a request; return its JSON, or null for an empty answer. Raises `Problem`.
 * `body` is JSON, or a `FormData`.
 */
export async function call(method, path, body, headers = {}) {
  const sent = { accept: "application/json", ...headers };
  if (method !== "GET") sent["x-atelier-console"] = "1";
  if (body !== undefined && !(body instanceof FormData)) {
    sent["content-type"] = "application/json";
    body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(root + path, { method, headers: sent, body, credentials: "same-origin" });
  } catch {
    throw new Problem(0, AWAY);
  }
  if (answer.status === 204) return null;
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  const found = isJson ? await answer.json().catch(() => ({})) : {};
  if (answer.ok) return found;
  if (answer.status === 401 && path !== "/console/session") session.dispatchEvent(new Event("signed-out"));
  throw new Problem(answer.status, found);
}

export const get = (path) => call("GET", path);
export const post = (path, body, headers) => call("POST", path, body, headers);

/** The query of a path: values that are empty are left out, lists are repeated. */
export function query(values) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") found.append(name, one);
    }
  }
  const text = found.toString();
  return text && `?${text}`;
}

/** A key under which a request that is sent twice makes one job. Plain HTTP has no `crypto.randomUUID`. */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");
}

let publicUrl = "";
/** Note the public URL of the service, with which its links begin. */
export function setPublicUrl(url) {
  publicUrl = url.replace(/\/$/, "");
}
export const getPublicUrl = () => publicUrl;

/** A link of the service by the address at which this browser reaches it, which may be another than the public one. */
export function local(url) {
  return url && publicUrl && url.startsWith(`${publicUrl}/`) ? root + url.slice(publicUrl.length) : url;
}

/**
 * What a path answers: `{data, error, reload, loading}`. It is read again after `every` seconds (0: never) while the tab is
 * visible, and when the path changes; without a path nothing is read. `every` may be a function of the data.
 */
export function useApi(path, every = 0) {
  const [state, setState] = useState({ data: null, error: null, loading: true });
  const current = useRef({});
  const again = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const own = (current.current = { path });
    let timer = 0;
    async function read() {
      clearTimeout(timer);
      let data = null;
      try {
        data = await get(path);
        if (own === current.current) setState({ data, error: null, loading: false, path });
      } catch (error) {
        if (own === current.current) {
          setState((known) => ({ data: known.path === path ? known.data : null, error, loading: false, path }));
        }
      }
      plan(data);
    }
    function plan(data) {
      const seconds = typeof every === "function" ? every(data) : every;
      if (own === current.current && seconds > 0 && !document.hidden) timer = setTimeout(read, seconds * 1000);
    }
    function seen() {
      if (!document.hidden) read();
    }
    again.current = read;
    read();
    if (every) document.addEventListener("visibilitychange", seen);
    return () => {
      if (own === current.current) current.current = {};
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path]);
  const isOld = state.path !== path;
  return { data: isOld ? null : state.data, error: isOld ? null : state.error, loading: isOld || state.loading, reload: () => again.current() };
}
