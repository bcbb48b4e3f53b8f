/** Requests with fetch: JSON in and out, retries where a request may be sent twice. */
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
/** Sends the requests of a client. */
export declare class Transport {
    #private;
    readonly baseUrl: string;
    constructor(options: TransportOptions);
    /** Return the JSON of an answer; undefined for an empty one. Throws `AtelierError`. */
    json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
    /** Return the answer of a request that succeeded. Throws `AtelierError`. */
    send(method: string, path: string, options?: RequestOptions): Promise<Response>;
    /** Return whatever is behind a link, which needs no key; redirects are followed. Throws `AtelierError`. */
    download(url: string, signal?: AbortSignal): Promise<Response>;
    /** PUT a file to a link, which needs no key. Throws `AtelierError`. */
    put(url: string, file: BodyInit, headers?: Record<string, string>): Promise<void>;
}
/** The query string of the parameters that are set; a list is sent as several. */
export declare function queryOf(query: object | undefined): string;
/** The parameters of a filter by labels. */
export declare function labelFilter(labels?: Record<string, string>): string[];
/** Yield the pieces of a body as they arrive; a body that is left early is cancelled. */
export declare function piecesOf<T>(body: ReadableStream<T>): AsyncGenerator<T>;
/** Wait; ends early, and throws, when the signal aborts. */
export declare function pause(milliseconds: number, signal?: AbortSignal): Promise<void>;
