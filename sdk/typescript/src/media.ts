/** The native media library, /media/v1. */

import type { Transport } from "./transport.js";

/** A stored picture, film, recording, mesh or document. */
export interface Media {
  media_id: string;
  kind: "image" | "video" | "audio" | "mesh" | "document";
  [field: string]: unknown;
}

/** What is stored: everything made, and everything uploaded. */
export class MediaLibrary {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Return a page, newest first unless `sort` says otherwise. */
  list(query: { kind?: string; tags?: string[]; limit?: number; sort?: string; cursor?: string } = {}): Promise<Record<string, unknown>> {
    return this.#transport.json("GET", "/media/v1", { query });
  }

  /** Return one item. */
  get(mediaId: string): Promise<Media> {
    return this.#transport.json("GET", `/media/v1/${encodeURIComponent(mediaId)}`);
  }

  /** Remove an item with its file and its previews. */
  delete(mediaId: string): Promise<void> {
    return this.#transport.json("DELETE", `/media/v1/${encodeURIComponent(mediaId)}`);
  }
}
