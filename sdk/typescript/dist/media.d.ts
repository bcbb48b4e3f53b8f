/** The native media library, /media/v1. */
import type { Transport } from "./transport.js";
/** A stored picture, film, recording, mesh or document. */
export interface Media {
    media_id: string;
    kind: "image" | "video" | "audio" | "mesh" | "document";
    [field: string]: unknown;
}
/** What is stored: everything made, and everything uploaded. */
export declare class MediaLibrary {
    #private;
    constructor(transport: Transport);
    /** Return a page, newest first unless `sort` says otherwise. */
    list(query?: {
        kind?: string;
        tags?: string[];
        limit?: number;
        sort?: string;
        cursor?: string;
    }): Promise<Record<string, unknown>>;
    /** Return one item. */
    get(mediaId: string): Promise<Media>;
    /** Remove an item with its file and its previews. */
    delete(mediaId: string): Promise<void>;
}
