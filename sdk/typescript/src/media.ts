/** The native media library, /media/v1: every output, and every file that was brought. */

import { labelFilter, type Transport } from "./transport.js";
import type { LinkedMedia, Media, MediaMatches, MediaPage } from "./types.js";

export type MediaKind = "image" | "video" | "audio" | "mesh" | "document";

/** What is said of a file that is brought. */
export interface MediaFacts {
  filename?: string;
  /** The media type that the file must have. */
  content_type?: string;
  kind?: MediaKind;
  description?: string;
  tags?: string[];
  labels?: Record<string, string>;
  /** Delete it after 24 hours; lists leave it out. */
  temporary?: boolean;
  /** What is said in it: any JSON; its texts are searched. */
  transcript?: unknown;
}

export interface MediaQuery {
  kind?: MediaKind;
  /** Only items that have all of these tags. */
  tags?: string[];
  /** Only items that have all of these labels. */
  labels?: Record<string, string>;
  product_id?: string;
  variant_id?: string;
  sort?: "newest" | "oldest" | "updated";
  /** With temporary items, too. */
  temporary?: boolean;
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
}

/** A product of a shop, or a variant of it. */
export interface ProductTarget {
  product_id?: string;
  variant_id?: string;
}

/** What is stored: everything made, and everything brought. */
export class MediaLibrary {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Return a page, newest first unless `sort` says otherwise. */
  list(query: MediaQuery = {}): Promise<MediaPage> {
    const { tags, labels, ...others } = query;
    return this.#transport.json("GET", "/media/v1", { query: { ...others, tag: tags, label: labelFilter(labels) } });
  }

  /** Return the items with these words in prompt, description, name, tags or transcript, best first. */
  search(words: string, query: { kind?: MediaKind; limit?: number; cursor?: string } = {}): Promise<MediaMatches> {
    return this.#transport.json("GET", "/media/v1/search", { query: { ...query, q: words } });
  }

  /** Return the items whose vectors are nearest to words, best first. */
  near(words: string, query: { kind?: MediaKind; limit?: number } = {}): Promise<MediaMatches> {
    return this.#transport.json("GET", "/media/v1/search", { query: { ...query, near: words } });
  }

  /** Return the items that are most like a picture, best first: an item, an output, an upload or a URL. */
  similar(picture: string, query: { kind?: MediaKind; limit?: number } = {}): Promise<MediaMatches> {
    return this.#transport.json("GET", "/media/v1/search", { query: { ...query, similar_to: picture } });
  }

  /** Return one item. */
  get(mediaId: string): Promise<Media> {
    return this.#transport.json("GET", path(mediaId));
  }

  /** Store a file, or have the file of a URL fetched: the item is `waiting` until it came. */
  upload(file: Blob | Uint8Array<ArrayBuffer> | string, facts: MediaFacts = {}): Promise<Media> {
    if (typeof file === "string") return this.#transport.json("POST", "/media/v1", { body: { ...facts, url: file } });
    const { tags, labels, transcript, ...others } = facts;
    const form = new FormData();
    for (const [name, value] of Object.entries(others)) if (value !== undefined) form.append(name, String(value));
    for (const tag of tags ?? []) form.append("tags", tag);
    if (labels !== undefined) form.append("labels", JSON.stringify(labels));
    if (transcript !== undefined) form.append("transcript", JSON.stringify(transcript));
    const name = facts.filename ?? (file instanceof File ? file.name : "file");
    form.append("file", file instanceof Blob ? file : new Blob([file], { type: facts.content_type }), name);
    return this.#transport.json("POST", "/media/v1", { body: form });
  }

  /** Replace file name, description, tags or labels; what is left out stays. */
  change(mediaId: string, changes: Pick<MediaFacts, "filename" | "description" | "tags" | "labels">): Promise<Media> {
    return this.#transport.json("PATCH", path(mediaId), { body: changes });
  }

  /** Give an item a `public_url` that anyone may open. */
  publish(mediaId: string): Promise<Media> {
    return this.#transport.json("POST", `${path(mediaId)}/publish`);
  }

  /** Take the public link of an item away. */
  unpublish(mediaId: string): Promise<Media> {
    return this.#transport.json("POST", `${path(mediaId)}/unpublish`);
  }

  /** Take an item out of lists and searches. */
  archive(mediaId: string): Promise<Media> {
    return this.#transport.json("POST", `${path(mediaId)}/archive`);
  }

  /** Link an item to a product or a variant of it, at a position. */
  link(mediaId: string, target: ProductTarget & { position?: number }): Promise<Media> {
    return this.#transport.json("POST", `${path(mediaId)}/link`, { body: target });
  }

  /** Link items to one product or variant, all of them or none. */
  linkAll(target: ProductTarget, media: { media_id: string; position?: number }[]): Promise<LinkedMedia> {
    return this.#transport.json("POST", "/media/v1/link", { body: { ...target, media } });
  }

  /** Remove the link of an item to a product or a variant. */
  unlink(mediaId: string, target: ProductTarget): Promise<Media> {
    return this.#transport.json("DELETE", `${path(mediaId)}/link`, { query: target });
  }

  /** Remove an item with its file and its previews. */
  delete(mediaId: string): Promise<void> {
    return this.#transport.json("DELETE", path(mediaId));
  }
}

function path(mediaId: string): string {
  return `/media/v1/${encodeURIComponent(mediaId)}`;
}
