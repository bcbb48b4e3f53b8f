/** The client with the names of WhaleTools' document: `generate.*` and `media.*`. */

import { errorOf } from "./errors.js";
import { readEvents } from "./events.js";
import { Transport } from "./transport.js";

export interface WhaleOptions {
  apiKey: string;
  /** The base address on a server: https://your-host/whaletools. */
  gatewayUrl?: string;
  /** The path of your own proxy, which a browser uses instead; /api/gw by default. */
  proxyPath?: string;
  fetch?: typeof fetch;
}

export interface ImageRequest {
  prompt: string;
  model?: string;
  size?: string;
  quality?: string;
  style?: string;
  aspect_ratio?: string;
  output_format?: "png" | "jpeg" | "webp";
  negative_prompt?: string;
  seed?: number;
  webhook_url?: string;
}

export interface Pending {
  id: string;
  status: string;
  estimated_seconds: number | null;
  poll_url: string;
  model: string;
  created_at: string;
}

export interface Image {
  id: string;
  url: string;
  model: string;
  size: string;
  created_at: string;
}

export interface VideoRequest {
  prompt: string;
  model?: string;
  duration?: number;
  resolution?: string;
  aspect_ratio?: string;
  image_url?: string;
  output_format?: "mp4" | "webm";
  negative_prompt?: string;
  seed?: number;
  webhook_url?: string;
}

export interface Video {
  id: string;
  status: string;
  url?: string;
  duration?: number;
  model: string;
  created_at: string;
  estimated_seconds?: number | null;
  poll_url?: string;
  message?: string;
}

export interface VoiceRequest {
  text: string;
  voice_id?: string;
  model?: string;
  output_format?: "mp3" | "wav" | "ogg";
  language?: string;
  seed?: number;
  webhook_url?: string;
}

export interface Speech {
  id: string;
  url: string;
  duration_seconds: number;
  model: string;
  voice_id: string;
  created_at: string;
}

export interface WhaleVoice {
  id: string;
  name: string;
  preview_url: string | null;
}

export interface BackgroundRequest {
  image_url: string;
  model?: string;
  output_format?: "png" | "webp";
  semitransparency?: boolean;
  webhook_url?: string;
}

export interface Background {
  id: string;
  url: string;
  format: string;
  transparent: boolean;
  original_url: string | null;
  created_at: string;
}

export interface BatchItem {
  id: string;
  url: string | null;
  transparent: boolean;
  status: string;
}

export interface TextRequest {
  prompt?: string;
  /** A prompt of the service in place of `prompt`, and the words in its places. */
  template?: string;
  variables?: Record<string, string>;
  model?: string;
  max_tokens?: number;
  temperature?: number;
  output_format?: "txt" | "md";
  seed?: number;
  stream?: boolean;
}

export interface TextUsage {
  input_tokens: number;
  output_tokens: number;
}

export interface Completion {
  id: string;
  text: string;
  model: string;
  usage: TextUsage;
  created_at: string;
}

/** What is added to a text; the last one adds nothing, and has what the whole took. */
export interface TextChunk {
  id: string;
  text: string;
  model?: string;
  usage?: TextUsage;
  created_at?: string;
}

export interface MediaItem {
  id: string;
  object: string;
  filename: string | null;
  url: string | null;
  [field: string]: unknown;
}

export interface MediaList {
  object: "list";
  data: MediaItem[];
  has_more: boolean;
  url: string;
}

export interface UploadRequest {
  file: Blob | ArrayBuffer | Uint8Array | string;
  filename?: string;
  content_type?: string;
  tags?: string[];
}

export interface ListRequest {
  type?: "image" | "video" | "audio" | "document";
  tags?: string[];
  limit?: number;
  sort?: string;
  starting_after?: string;
  ending_before?: string;
}

export interface LinkRequest {
  media_id: string;
  product_id?: string;
  variant_id?: string;
  position?: number;
}

/** `generate.video`: a function with `get`; `generate.voice` and the others likewise. */
export interface Generate {
  image(request: ImageRequest): Promise<Image>;
  video: ((request: VideoRequest) => Promise<Pending>) & { get(id: string): Promise<Video> };
  voice: ((request: VoiceRequest) => Promise<Speech>) & {
    list(): Promise<WhaleVoice[]>;
    clone(request: { name: string; audio_url: string; description?: string }): Promise<WhaleVoice>;
    delete(id: string): Promise<void>;
  };
  removeBackground: ((request: BackgroundRequest) => Promise<Background>) & {
    batch(request: { image_urls: string[]; model?: string }): Promise<BatchItem[]>;
  };
  text(request: TextRequest & { stream: true }): Promise<AsyncGenerator<TextChunk, void>>;
  text(request: TextRequest & { stream?: false }): Promise<Completion>;
}

const POLL_MS = 1500;

/** A client of WhaleTools' wire format. */
export class WhaleClient {
  readonly generate: Generate;
  readonly media: WhaleMedia;

  constructor(options: WhaleOptions) {
    const inBrowser = "document" in globalThis;
    const base = inBrowser ? (options.proxyPath ?? "/api/gw") : (options.gatewayUrl ?? "http://127.0.0.1:8000/whaletools");
    const transport = new Transport({
      baseUrl: base,
      headers: { "x-api-key": options.apiKey },
      fetch: options.fetch,
    });
    this.generate = generateMethods(transport);
    this.media = new WhaleMedia(transport);
  }
}

/** The media library. */
export class WhaleMedia {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Store a file. */
  upload(request: UploadRequest): Promise<MediaItem> {
    const form = new FormData();
    const part = request.file instanceof Uint8Array ? new Uint8Array(request.file) : request.file;
    const file = part instanceof Blob ? part : new Blob([part], { type: request.content_type });
    form.append("file", file, request.filename ?? "file");
    if (request.filename !== undefined) form.append("filename", request.filename);
    if (request.content_type !== undefined) form.append("content_type", request.content_type);
    for (const tag of request.tags ?? []) form.append("tags", tag);
    return this.#transport.json("POST", "/v1/media", { body: form });
  }

  /** Return a page of what is stored, newest first unless `sort` says otherwise. */
  list(request: ListRequest = {}): Promise<MediaList> {
    return this.#transport.json("GET", "/v1/media", { query: request });
  }

  /** Return one item. */
  get(id: string): Promise<MediaItem> {
    return this.#transport.json("GET", `/v1/media/${encodeURIComponent(id)}`);
  }

  /** Remove an item with its file. */
  delete(id: string): Promise<void> {
    return this.#transport.json("DELETE", `/v1/media/${encodeURIComponent(id)}`);
  }

  /** Link an item, or several, to a product or a variant. */
  link(request: LinkRequest | LinkRequest[]): Promise<unknown> {
    if (Array.isArray(request)) return this.#transport.json("POST", "/v1/media/link", { body: { links: request } });
    const { media_id, ...body } = request;
    return this.#transport.json("POST", `/v1/media/${encodeURIComponent(media_id)}/link`, { body });
  }
}

function generateMethods(transport: Transport): Generate {
  const post = <T>(path: string, body: unknown): Promise<T> =>
    transport.json<T>("POST", `/v1/generate/${path}`, { body, idempotencyKey: crypto.randomUUID() });
  /** What a synchronous route answers; a `poll_url`, which it gives after a while, is followed. */
  const whole = async <T>(path: string, body: unknown): Promise<T> => {
    let answer = await post<T | Pending>(path, body);
    while (isPending(answer)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      answer = await transport.json<T | Pending>("GET", answer.poll_url);
    }
    return answer;
  };
  /** A text, or what is added to it while it is written. */
  const write = async (request: TextRequest): Promise<unknown> => {
    if (!request.stream) return whole<Completion>("text", request);
    const options = { body: request, headers: { accept: "text/event-stream" }, streams: true, idempotencyKey: crypto.randomUUID() };
    return chunksOf(await transport.send("POST", "/v1/generate/text", options));
  };
  return {
    image: (request) => whole("image", request),
    video: Object.assign((request: VideoRequest) => post<Pending>("video", request), {
      get: (id: string) => transport.json<Video>("GET", `/v1/generate/video/${encodeURIComponent(id)}`),
    }),
    voice: Object.assign((request: VoiceRequest) => whole<Speech>("voice", request), {
      list: () => transport.json<WhaleVoice[]>("GET", "/v1/voices"),
      clone: (request: { name: string; audio_url: string; description?: string }) =>
        transport.json<WhaleVoice>("POST", "/v1/voices", { body: request }),
      delete: (id: string) => transport.json<void>("DELETE", `/v1/voices/${encodeURIComponent(id)}`),
    }),
    removeBackground: Object.assign((request: BackgroundRequest) => whole<Background>("remove-background", request), {
      batch: (request: { image_urls: string[]; model?: string }) =>
        post<BatchItem[]>("remove-background/batch", request),
    }),
    text: write as Generate["text"],
  };
}

/** The parts of a text. Throws `AtelierError` where it could not be written to its end. */
async function* chunksOf(answer: Response): AsyncGenerator<TextChunk, void> {
  const requestId = answer.headers.get("x-request-id") ?? undefined;
  for await (const { event, data } of readEvents(answer.body!)) {
    if (data === "[DONE]") return;
    const part: unknown = JSON.parse(data);
    if (event === "error") throw errorOf(500, part, requestId);
    yield part as TextChunk;
  }
  throw errorOf(0, { message: "The text ended before its end.", code: "stream_ended" }, requestId);
}

function isPending(answer: unknown): answer is Pending {
  return typeof answer === "object" && answer !== null && "poll_url" in answer;
}
