/** The native media library, /media/v1. */
/** What is stored: everything made, and everything uploaded. */
export class MediaLibrary {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    /** Return a page, newest first unless `sort` says otherwise. */
    list(query = {}) {
        return this.#transport.json("GET", "/media/v1", { query });
    }
    /** Return one item. */
    get(mediaId) {
        return this.#transport.json("GET", `/media/v1/${encodeURIComponent(mediaId)}`);
    }
    /** Remove an item with its file and its previews. */
    delete(mediaId) {
        return this.#transport.json("DELETE", `/media/v1/${encodeURIComponent(mediaId)}`);
    }
}
