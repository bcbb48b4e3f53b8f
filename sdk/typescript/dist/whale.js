/** The client with the names of WhaleTools' document: `generate.*` and `media.*`. */
import { errorOf } from "./errors.js";
import { readEvents } from "./events.js";
import { Transport } from "./transport.js";
const POLL_MS = 1500;
/** A client of WhaleTools' wire format. */
export class WhaleClient {
    generate;
    media;
    constructor(options) {
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
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    /** Store a file. */
    upload(request) {
        const form = new FormData();
        const part = request.file instanceof Uint8Array ? new Uint8Array(request.file) : request.file;
        const file = part instanceof Blob ? part : new Blob([part], { type: request.content_type });
        form.append("file", file, request.filename ?? "file");
        if (request.filename !== undefined)
            form.append("filename", request.filename);
        if (request.content_type !== undefined)
            form.append("content_type", request.content_type);
        for (const tag of request.tags ?? [])
            form.append("tags", tag);
        return this.#transport.json("POST", "/v1/media", { body: form });
    }
    /** Return a page of what is stored, newest first unless `sort` says otherwise. */
    list(request = {}) {
        return this.#transport.json("GET", "/v1/media", { query: request });
    }
    /** Return one item. */
    get(id) {
        return this.#transport.json("GET", `/v1/media/${encodeURIComponent(id)}`);
    }
    /** Remove an item with its file. */
    delete(id) {
        return this.#transport.json("DELETE", `/v1/media/${encodeURIComponent(id)}`);
    }
    /** Link an item, or several, to a product or a variant. */
    link(request) {
        if (Array.isArray(request))
            return this.#transport.json("POST", "/v1/media/link", { body: { links: request } });
        const { media_id, ...body } = request;
        return this.#transport.json("POST", `/v1/media/${encodeURIComponent(media_id)}/link`, { body });
    }
}
function generateMethods(transport) {
    const post = (path, body) => transport.json("POST", `/v1/generate/${path}`, { body, idempotencyKey: crypto.randomUUID() });
    /** What a synchronous route answers; a `poll_url`, which it gives after a while, is followed. */
    const whole = async (path, body) => {
        let answer = await post(path, body);
        while (isPending(answer)) {
            await new Promise((resolve) => setTimeout(resolve, POLL_MS));
            answer = await transport.json("GET", answer.poll_url);
        }
        return answer;
    };
    /** A text, or what is added to it while it is written. */
    const write = async (request) => {
        if (!request.stream)
            return whole("text", request);
        const options = { body: request, headers: { accept: "text/event-stream" }, streams: true, idempotencyKey: crypto.randomUUID() };
        return chunksOf(await transport.send("POST", "/v1/generate/text", options));
    };
    return {
        image: (request) => whole("image", request),
        video: Object.assign((request) => post("video", request), {
            get: (id) => transport.json("GET", `/v1/generate/video/${encodeURIComponent(id)}`),
        }),
        voice: Object.assign((request) => whole("voice", request), {
            list: () => transport.json("GET", "/v1/voices"),
            clone: (request) => transport.json("POST", "/v1/voices", { body: request }),
            delete: (id) => transport.json("DELETE", `/v1/voices/${encodeURIComponent(id)}`),
        }),
        removeBackground: Object.assign((request) => whole("remove-background", request), {
            batch: (request) => post("remove-background/batch", request),
        }),
        text: write,
    };
}
/** The parts of a text. Throws `AtelierError` where it could not be written to its end. */
async function* chunksOf(answer) {
    const requestId = answer.headers.get("x-request-id") ?? undefined;
    for await (const { event, data } of readEvents(answer.body)) {
        if (data === "[DONE]")
            return;
        const part = JSON.parse(data);
        if (event === "error")
            throw errorOf(500, part, requestId);
        yield part;
    }
    throw errorOf(0, { message: "The text ended before its end.", code: "stream_ended" }, requestId);
}
function isPending(answer) {
    return typeof answer === "object" && answer !== null && "poll_url" in answer;
}
