/** The native client: jobs of every modality, followed to their end. */
import { AtelierError } from "./errors.js";
import { readEvents } from "./events.js";
import { MediaLibrary } from "./media.js";
import { Transport, labelFilter, pause, piecesOf } from "./transport.js";
const ENDED = new Set(["completed", "failed", "cancelled"]);
const RECONNECT_MS = 1000;
const PATIENCE_MS = 60_000;
/** A client of one service with one key. */
export class AtelierClient {
    media;
    #transport;
    constructor(options) {
        this.#transport = new Transport({
            baseUrl: options.url ?? "http://127.0.0.1:8000",
            headers: { "x-api-key": options.apiKey },
            retries: options.retries,
            fetch: options.fetch,
        });
        this.media = new MediaLibrary(this.#transport);
    }
    /** Submit a job and return at once. Throws `AtelierError`. */
    submit(modality, params, options = {}) {
        return this.#transport.json("POST", `/generate/${modality}/v1`, {
            body: params,
            idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
            signal: options.signal,
        });
    }
    /** Submit a job, wait for it and return it with its outputs. Throws `AtelierError`, also when it fails. */
    async generate(modality, params, options = {}) {
        const accepted = await this.submit(modality, params, options);
        return this.wait(accepted.job_id, options);
    }
    /** Make images, as `generate` does. */
    image(params, options = {}) {
        return this.generate("image", params, options);
    }
    /** Make a film, as `generate` does. */
    video(params, options = {}) {
        return this.generate("video", params, options);
    }
    /** Speak a text, as `generate` does. */
    speech(params, options = {}) {
        return this.generate("speech", params, options);
    }
    /** Make a mesh of a picture, as `generate` does. */
    mesh(params, options = {}) {
        return this.generate("3d", params, options);
    }
    /** Cut the foreground out of a picture or a film, as `generate` does. */
    removeBackground(params, options = {}) {
        return this.generate("remove-background", params, options);
    }
    /** Put a logo or the colors of a palette on a picture, as `generate` does. */
    branding(params, options = {}) {
        return this.generate("branding", params, options);
    }
    /** Make one film of several, one after the other, as `generate` does. */
    join(params, options = {}) {
        return this.generate("join", params, options);
    }
    /** Make an SVG of a picture, as `generate` does. */
    vectorize(params, options = {}) {
        return this.generate("vectorize", params, options);
    }
    /** Write a text; it is `outputs[0].text`. */
    text(params, options = {}) {
        return this.generate("text", params, options);
    }
    /** Write down what is said in a recording or a film; the words are `outputs[0].text`. */
    transcript(params, options = {}) {
        return this.generate("transcript", params, options);
    }
    /** Make vectors of texts or of a picture; they are in the file of `outputs[0]`. */
    embedding(params, options = {}) {
        return this.generate("embedding", params, options);
    }
    /** Find the parts of a picture; `outputs[0]` is their map, `outputs[1]` what they are. */
    segment(params, options = {}) {
        return this.generate("segment", params, options);
    }
    /** Enlarge a picture or a film, as `generate` does. */
    upscale(params, options = {}) {
        return this.generate("upscale", params, options);
    }
    /** Make a sound effect, as `generate` does. */
    sound(params, options = {}) {
        return this.generate("sound", params, options);
    }
    /** Make music, as `generate` does. */
    music(params, options = {}) {
        return this.generate("music", params, options);
    }
    /** Make a face say a recording, as `generate` does. */
    avatar(params, options = {}) {
        return this.generate("avatar", params, options);
    }
    /** Draw frames between those of a film, as `generate` does. */
    interpolate(params, options = {}) {
        return this.generate("interpolate", params, options);
    }
    /** Return what a job would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
    estimate(modality, params, options = {}) {
        return this.#transport.json("POST", "/estimates/v1", {
            body: { ...params, modality },
            repeatable: true,
            signal: options.signal,
        });
    }
    /** Submit up to 100 jobs together, all or none. Throws `AtelierError`, with the place of the job at fault. */
    async submitMany(jobs, options = {}) {
        const answer = await this.#transport.json("POST", "/jobs/v1", {
            body: { jobs },
            idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
            signal: options.signal,
        });
        return answer.jobs;
    }
    /** Return a job as it is now. */
    status(jobId, options = {}) {
        return this.#transport.json("GET", `/jobs/v1/${encodeURIComponent(jobId)}`, { signal: options.signal });
    }
    /** Return a page of jobs, newest first. */
    jobs(query = {}) {
        const { labels, ...others } = query;
        return this.#transport.json("GET", "/jobs/v1", { query: { ...others, label: labelFilter(labels) } });
    }
    /** Yield the events of a job until it has ended; an interrupted stream goes on after its last event. */
    async *subscribe(jobId, options = {}) {
        let seen = "";
        let awaySince;
        for (;;) {
            try {
                const headers = { accept: "text/event-stream" };
                if (seen !== "")
                    headers["last-event-id"] = seen;
                const path = `/jobs/v1/${encodeURIComponent(jobId)}/events`;
                const query = options.onPreview === undefined ? {} : { previews: "true" };
                const answer = await this.#transport.send("GET", path, { headers, query, streams: true, signal: options.signal });
                if (answer.status === 204 || answer.body === null)
                    return;
                for await (const event of readEvents(answer.body)) {
                    seen = event.id || seen;
                    awaySince = undefined;
                    if (event.event === "preview") {
                        options.onPreview?.(JSON.parse(event.data));
                        continue;
                    }
                    const progress = JSON.parse(event.data);
                    yield progress;
                    if (ENDED.has(progress.status))
                        return;
                }
            }
            catch (error) {
                if (options.signal?.aborted || (error instanceof AtelierError && error.status !== 0))
                    throw error;
                awaySince ??= Date.now();
                if (Date.now() - awaySince > PATIENCE_MS)
                    throw error;
            }
            await pause(RECONNECT_MS, options.signal);
        }
    }
    /**
     * Yield the sound of a speech job from its beginning, as it is made where the job has `stream`. It ends early where the job fails
     * meanwhile; the job's status says so. Throws `AtelierError`.
     */
    async *listen(jobId, options = {}) {
        const path = `/jobs/v1/${encodeURIComponent(jobId)}/sound`;
        const headers = { accept: "*/*" };
        const answer = await this.#transport.send("GET", path, { headers, streams: true, signal: options.signal });
        if (answer.body !== null)
            yield* piecesOf(answer.body);
    }
    /** Wait until a job has completed and return it. Throws `AtelierError` when it fails or is cancelled, or in time. */
    async wait(jobId, options = {}) {
        const signal = signalOf(options);
        const follow = { signal, onPreview: options.onPreview };
        for await (const event of this.subscribe(jobId, follow))
            options.onProgress?.(event);
        const job = await this.status(jobId, { signal });
        if (job.status === "completed")
            return job;
        throw new AtelierError(job.error?.message ?? "The job was cancelled.", {
            status: 0,
            code: job.error?.code ?? job.status,
            body: job,
        });
    }
    /** Cancel a job and return it; one that has ended stays as it is. */
    cancel(jobId) {
        return this.#transport.json("POST", `/jobs/v1/${encodeURIComponent(jobId)}/cancel`);
    }
    /** Remove a job with its prompt, inputs and outputs; one that runs is cancelled. */
    delete(jobId) {
        return this.#transport.json("DELETE", `/jobs/v1/${encodeURIComponent(jobId)}`);
    }
    /** Change the priority of a waiting job, 0 to 9, and return it. */
    setPriority(jobId, priority) {
        return this.#transport.json("PATCH", `/jobs/v1/${encodeURIComponent(jobId)}`, { body: { priority }, repeatable: true });
    }
    /** Start none of the tenant's jobs until `resumeQueue`; those that run go on. */
    pauseQueue() {
        return this.#transport.json("POST", "/jobs/v1/pause", { repeatable: true });
    }
    /** Start the tenant's jobs again. */
    resumeQueue() {
        return this.#transport.json("POST", "/jobs/v1/resume", { repeatable: true });
    }
    /** Return what a completed job was made of, and with. */
    manifest(jobId) {
        return this.#transport.json("GET", `/jobs/v1/${encodeURIComponent(jobId)}/manifest`);
    }
    /** Submit a completed job again, with its fields, seed and inputs, as a new job. */
    reproduce(jobId, options = {}) {
        return this.#transport.json("POST", `/jobs/v1/${encodeURIComponent(jobId)}/reproduce`, {
            idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
            signal: options.signal,
        });
    }
    /** Do a failed job again as a new one that is tied to it; a repeated call returns the same new job. */
    redrive(jobId) {
        return this.#transport.json("POST", `/jobs/v1/${encodeURIComponent(jobId)}/redrive`, { repeatable: true });
    }
    /** Submit jobs of which one's output is another's input; all or none. Throws `AtelierError`. */
    submitChain(steps, options = {}) {
        return this.#transport.json("POST", "/chains/v1", {
            body: options.callbackUrl === undefined ? { steps } : { steps, callback_url: options.callbackUrl },
            idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
            signal: options.signal,
        });
    }
    /** Submit shots that become one film, as a chain. Throws `AtelierError`. */
    submitStoryboard(params, options = {}) {
        return this.#transport.json("POST", "/storyboards/v1", {
            body: params,
            idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
            signal: options.signal,
        });
    }
    /** Make one film of shots: submit them, wait for the chain and return it with its outputs. Throws `AtelierError`, also when it fails. */
    async storyboard(params, options = {}) {
        const chain = await this.submitStoryboard(params, options);
        return this.waitChain(chain.chain_id, options);
    }
    /** Return what these shots would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
    estimateStoryboard(params, options = {}) {
        return this.#transport.json("POST", "/storyboards/v1/estimate", {
            body: params,
            repeatable: true,
            signal: options.signal,
        });
    }
    /**
     * Wait until a chain has completed and return it; `onProgress` gets the events of its jobs, step by step. Throws `AtelierError` when it
     * fails or is cancelled, or in time.
     */
    async waitChain(chainId, options = {}) {
        const signal = signalOf(options);
        for (const { job } of (await this.chain(chainId, { signal })).steps) {
            if (job === null)
                continue;
            const follow = { signal, onPreview: options.onPreview };
            for await (const event of this.subscribe(job.job_id, follow))
                options.onProgress?.(event);
        }
        for (;;) {
            const chain = await this.chain(chainId, { signal });
            if (chain.status === "completed")
                return chain;
            if (chain.finished_at !== null) {
                throw new AtelierError(chain.error?.message ?? "The chain was cancelled.", {
                    status: 0,
                    code: chain.error?.code ?? chain.status,
                    body: chain,
                });
            }
            await pause(RECONNECT_MS, signal);
        }
    }
    /** Return a chain as it is now, with the status of each of its jobs. */
    chain(chainId, options = {}) {
        return this.#transport.json("GET", `/chains/v1/${encodeURIComponent(chainId)}`, { signal: options.signal });
    }
    /** Return a page of chains, newest first. */
    chains(query = {}) {
        return this.#transport.json("GET", "/chains/v1", { query });
    }
    /** Cancel what has not ended of a chain, and return it. */
    cancelChain(chainId) {
        return this.#transport.json("POST", `/chains/v1/${encodeURIComponent(chainId)}/cancel`, { repeatable: true });
    }
    /** Return what the key is and may do, and what its tenant has left. */
    me() {
        return this.#transport.json("GET", "/me/v1");
    }
    /** Keep the tenant's jobs on the service's own servers, or let remote backends have them, too. */
    setLocalOnly(localOnly) {
        return this.#transport.json("PATCH", "/me/v1", { body: { local_only: localOnly }, repeatable: true });
    }
    /** Return a page of keys, newest first. */
    keys(query = {}) {
        return this.#transport.json("GET", "/keys/v1", { query });
    }
    /** Make a key; its `key` is shown in this answer alone. */
    addKey(name, fields = {}) {
        return this.#transport.json("POST", "/keys/v1", { body: { name, ...fields } });
    }
    /** Revoke a key. */
    revokeKey(keyId) {
        return this.#transport.json("DELETE", `/keys/v1/${encodeURIComponent(keyId)}`);
    }
    /** Return the bytes of an output, or of any link of an answer. */
    async download(output, options = {}) {
        const answer = await this.#transport.download(typeof output === "string" ? output : output.url, options.signal);
        return new Uint8Array(await answer.arrayBuffer());
    }
    /** Upload a file and return the id that every field takes which takes a URL of media. */
    async upload(file) {
        const body = file instanceof Blob ? file : new Blob([file]);
        return (await this.#transport.json("POST", "/inputs/v1", { body })).input_id;
    }
    /** Return the models of the catalog. */
    async models() {
        return (await this.#transport.json("GET", "/models/v1")).models;
    }
    /** Return the voices: your own, then those of the models. */
    async voices(query = {}) {
        return (await this.#transport.json("GET", "/voices/v1", { query })).voices;
    }
    /** Store a recording as a voice: a file, or the id of an upload. */
    async addVoice(name, source) {
        const stored = typeof source === "string" ? source : await this.upload(source);
        return this.#transport.json("POST", "/voices/v1", { body: { name, source: stored } });
    }
    /** Remove a stored voice. */
    removeVoice(voiceId) {
        return this.#transport.json("DELETE", `/voices/v1/${encodeURIComponent(voiceId)}`);
    }
}
/** Return what ends a wait: the caller's signal, or its time. */
function signalOf(options) {
    const limit = options.timeoutMs === undefined ? [] : [AbortSignal.timeout(options.timeoutMs)];
    const signals = options.signal === undefined ? limit : [...limit, options.signal];
    return signals.length > 0 ? AbortSignal.any(signals) : undefined;
}
