/** The native media library, /media/v1: every output, and every file that was brought. */
import { labelFilter } from "./transport.js";
/** What is stored: everything made, and everything brought. */
export class MediaLibrary {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    /** Return a page, newest first unless `sort` says otherwise. */
    list(query = {}) {
        const { tags, labels, ...others } = query;
        return this.#transport.json("GET", "/media/v1", { query: { ...others, tag: tags, label: labelFilter(labels) } });
    }
    /** Return the items with these words in prompt, description, name, tags or transcript, best first. */
    search(words, query = {}) {
        return this.#transport.json("GET", "/media/v1/search", { query: { ...query, q: words } });
    }
    /** Return the items whose vectors are nearest to words, best first. */
    near(words, query = {}) {
        return this.#transport.json("GET", "/media/v1/search", { query: { ...query, near: words } });
    }
    /** Return the items that are most like a picture, best first: an item, an output, an upload or a URL. */
    similar(picture, query = {}) {
        return this.#transport.json("GET", "/media/v1/search", { query: { ...query, similar_to: picture } });
    }
    /** Return one item. */
    get(mediaId) {
        return this.#transport.json("GET", path(mediaId));
    }
    /** Store a file, or have the file of a URL fetched: the item is `waiting` until it came. */
    upload(file, facts = {}) {
        if (typeof file === "string")
            return this.#transport.json("POST", "/media/v1", { body: { ...facts, url: file } });
        const { tags, labels, transcript, ...others } = facts;
        const form = new FormData();
        for (const [name, value] of Object.entries(others))
            if (value !== undefined)
                form.append(name, String(value));
        for (const tag of tags ?? [])
            form.append("tags", tag);
        if (labels !== undefined)
            form.append("labels", JSON.stringify(labels));
        if (transcript !== undefined)
            form.append("transcript", JSON.stringify(transcript));
        const name = facts.filename ?? (file instanceof File ? file.name : "file");
        form.append("file", file instanceof Blob ? file : new Blob([file], { type: facts.content_type }), name);
        return this.#transport.json("POST", "/media/v1", { body: form });
    }
    /** Replace file name, description, tags or labels; what is left out stays. */
    change(mediaId, changes) {
        return this.#transport.json("PATCH", path(mediaId), { body: changes });
    }
    /** Give an item a `public_url` that anyone may open. */
    publish(mediaId) {
        return this.#transport.json("POST", `${path(mediaId)}/publish`);
    }
    /** Take the public link of an item away. */
    unpublish(mediaId) {
        return this.#transport.json("POST", `${path(mediaId)}/unpublish`);
    }
    /** Take an item out of lists and searches. */
    archive(mediaId) {
        return this.#transport.json("POST", `${path(mediaId)}/archive`);
    }
    /** Link an item to a product or a variant of it, at a position. */
    link(mediaId, target) {
        return this.#transport.json("POST", `${path(mediaId)}/link`, { body: target });
    }
    /** Link items to one product or variant, all of them or none. */
    linkAll(target, media) {
        return this.#transport.json("POST", "/media/v1/link", { body: { ...target, media } });
    }
    /** Remove the link of an item to a product or a variant. */
    unlink(mediaId, target) {
        return this.#transport.json("DELETE", `${path(mediaId)}/link`, { query: target });
    }
    /** Remove an item with its file and its previews. */
    delete(mediaId) {
        return this.#transport.json("DELETE", path(mediaId));
    }
}
function path(mediaId) {
    return `/media/v1/${encodeURIComponent(mediaId)}`;
}
