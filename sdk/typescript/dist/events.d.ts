/** Server-sent events of a fetch stream. */
export interface ServerEvent {
    id: string;
    event: string;
    data: string;
}
/** Yield the events of a `text/event-stream`; comments are left out. */
export declare function readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent>;
