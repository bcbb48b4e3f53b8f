/** Requests with fetch: JSON in and out, retries where a request may be sent twice. */

import { AtelierError, errorOf } from "./errors.js";

export interface TransportOptions {
  /** The base URL of the API, without a slash at its end. */
  baseUrl: string;
  headers: Record<string, string>;
  /** How often a request that may be repeated is sent again; 3 by default. */
  retries?: number;
  /** Milliseconds after which a request without an answer is given up; 320,000 by default. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}

export interface RequestOptions {
  body?: unknown;
  query?: object;
  headers?: Record<string, string>;
  /** Sent as Idempotency-Key: the request may then be repeated, and is done once. */
  idempotencyKey?: string;
  /** Whether it changes nothing, whatever its method, and may be repeated. */
  repeatable?: boolean;
  /** Whether the answer goes on as long as a job does, and so has no limit of time. */
  streams?: boolean;
  signal?: AbortSignal;
}

const LONGEST_WAIT_MS = 10_000;
const PASSING = new Set([408, 429, 502, 503, 504]);

/** Sends the requests of a client. */
export class Transport {
  readonly baseUrl: string;
  readonly #headers: Record<string, string>;
  readonly #retries: number;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(options: TransportOptions) {
    this.baseUrl = options.baseUrl.replace(/\/+$/, "");
    this.#headers = options.headers;
    this.#retries = options.retries ?? 3;
    this.#timeoutMs = options.timeoutMs ?? 320_000;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** Return the JSON of an answer; undefined for an empty one. Throws `AtelierError`. */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const answer = await this.send(method, path, options);
    const content = await answer.text();
    return (content === "" ? undefined : JSON.parse(content)) as T;
  }

  /** Return the answer of a request that succeeded. Throws `AtelierError`. */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const repeatable = method === "GET" || method === "DELETE" || options.repeatable || options.idempotencyKey !== undefined;
    for (let attempt = 0; ; attempt++) {
      const last = !repeatable || attempt >= this.#retries;
      let answer: Response;
      try {
        answer = await this.#once(method, path, options);
      } catch (cause) {
        if (last || options.signal?.aborted) throw unanswered(cause);
        await pause(backoff(attempt), options.signal);
        continue;
      }
      if (answer.ok) return answer;
      if (last || !PASSING.has(answer.status)) {
        throw errorOf(answer.status, await bodyOf(answer), answer.headers.get("x-request-id") ?? undefined);
      }
      await answer.body?.cancel();
      await pause(retryAfter(answer) ?? backoff(attempt), options.signal);
    }
  }

  /** Return whatever is behind a link, which needs no key; redirects are followed. Throws `AtelierError`. */
  async download(url: string, signal?: AbortSignal): Promise<Response> {
    const answer = await this.#fetch(url, { signal });
    if (!answer.ok) throw errorOf(answer.status, await bodyOf(answer), undefined);
    return answer;
  }

  /** PUT a file to a link, which needs no key. Throws `AtelierError`. */
  async put(url: string, file: BodyInit, headers: Record<string, string> = {}): Promise<void> {
    const answer = await this.#fetch(url, { method: "PUT", body: file, headers });
    if (!answer.ok) throw errorOf(answer.status, await bodyOf(answer), undefined);
  }

  async #once(method: string, path: string, options: RequestOptions): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json", ...this.#headers, ...options.headers };
    let body: BodyInit | undefined;
    if (options.body instanceof FormData) body = options.body;
    else if (options.body instanceof Blob) {
      body = options.body;
      headers["content-type"] = options.body.type || "application/octet-stream";
    } else if (options.body !== undefined) {
      body = JSON.stringify(options.body);
      headers["content-type"] = "application/json";
    }
    if (options.idempotencyKey !== undefined) headers["idempotency-key"] = options.idempotencyKey;
    const limit = options.streams ? [] : [AbortSignal.timeout(this.#timeoutMs)];
    const signals = options.signal === undefined ? limit : [...limit, options.signal];
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    return this.#fetch(this.baseUrl + path + queryOf(options.query), { method, headers, body, signal });
  }
}

/** The query string of the parameters that are set; a list is sent as several. */
export function queryOf(query: object | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** The parameters of a filter by labels. */
export function labelFilter(labels: Record<string, string> = {}): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}:${value}`);
}

/** Yield the pieces of a body as they arrive; a body that is left early is cancelled. */
export async function* piecesOf<T>(body: ReadableStream<T>): AsyncGenerator<T> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Wait; ends early, and throws, when the signal aborts. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

async function bodyOf(answer: Response): Promise<unknown> {
  const content = await answer.text();
  try {
    return JSON.parse(content);
  } catch {
    return content;
  }
}

function unanswered(cause: unknown): AtelierError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AtelierError(`The API does not answer: ${reason}`, { status: 0, code: "unanswered", body: cause });
}

function backoff(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function retryAfter(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get("retry-after") ?? NaN);
  return Number.isFinite(seconds) ? Math.min(LONGEST_WAIT_MS, seconds * 1000) : undefined;
}
