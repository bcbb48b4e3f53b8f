/** The native client: jobs of every modality, followed to their end. */
import { MediaLibrary } from "./media.js";
import type { Accepted, Chain, ChainEstimate, ChainPage, Estimate, Job, JobPage, JobStatus, KeyPage, KeyWithSecret, Manifest, Me, Modality, Model, Output, ParamsOf, Progress, StepPreview, QueueState, StoryboardParams, Voice } from "./types.js";
export interface AtelierOptions {
    /** The URL of the service; http://127.0.0.1:8000 by default. */
    url?: string;
    apiKey: string;
    /** How often a request that may be repeated is sent again; 3 by default. */
    retries?: number;
    fetch?: typeof fetch;
}
export interface SubmitOptions {
    /** A submit with the same key makes one job. A random one by default, so that a submit may be sent again. */
    idempotencyKey?: string;
    signal?: AbortSignal;
}
export interface FollowOptions {
    signal?: AbortSignal;
    /** Asks for previews of the steps: at most two a second, of models whose latents can be shown. */
    onPreview?: (preview: StepPreview) => void;
}
export interface WaitOptions extends FollowOptions {
    onProgress?: (event: Progress) => void;
    /** Milliseconds after which waiting is given up; the job goes on. */
    timeoutMs?: number;
}
export interface JobQuery {
    limit?: number;
    /** `next_cursor` of the page before. */
    cursor?: string;
    status?: JobStatus;
    modality?: Modality;
    model?: string;
    /** Only jobs that have all of these labels. */
    labels?: Record<string, string>;
    /** Only jobs that this server runs or ran, or that ask for it; needs `since`. */
    server_id?: string;
    /** Only jobs that failed with this code. */
    error_code?: string;
    /** Only jobs that were submitted at this time or later, and before `until`: times with their zone. */
    since?: string;
    until?: string;
}
/** A job of several that are submitted together: its modality beside its fields. */
export type JobOf = {
    [M in Modality]: ParamsOf[M] & {
        modality: M;
    };
}[Modality];
/** A step of a chain: its name, its modality and its fields. A field may be `step:<name>`, the output of an earlier one. */
export type ChainStep = {
    name: string;
    modality: Modality;
} & Record<string, unknown>;
export interface NewKey {
    /** `read`, `write`, `admin` or finer ones; none stands for `write`. */
    scopes?: string[];
    expires_in_seconds?: number;
    priority_ceiling?: number;
    budget_usd?: number;
}
/** A client of one service with one key. */
export declare class AtelierClient {
    #private;
    readonly media: MediaLibrary;
    constructor(options: AtelierOptions);
    /** Submit a job and return at once. Throws `AtelierError`. */
    submit<M extends Modality>(modality: M, params: ParamsOf[M], options?: SubmitOptions): Promise<Accepted>;
    /** Submit a job, wait for it and return it with its outputs. Throws `AtelierError`, also when it fails. */
    generate<M extends Modality>(modality: M, params: ParamsOf[M], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make images, as `generate` does. */
    image(params: ParamsOf["image"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make a film, as `generate` does. */
    video(params: ParamsOf["video"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Speak a text, as `generate` does. */
    speech(params: ParamsOf["speech"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make a mesh of a picture, as `generate` does. */
    mesh(params: ParamsOf["3d"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Cut the foreground out of a picture or a film, as `generate` does. */
    removeBackground(params: ParamsOf["remove-background"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Put a logo or the colors of a palette on a picture, as `generate` does. */
    branding(params: ParamsOf["branding"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make one film of several, one after the other, as `generate` does. */
    join(params: ParamsOf["join"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make an SVG of a picture, as `generate` does. */
    vectorize(params: ParamsOf["vectorize"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Write a text; it is `outputs[0].text`. */
    text(params: ParamsOf["text"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Write down what is said in a recording or a film; the words are `outputs[0].text`. */
    transcript(params: ParamsOf["transcript"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make vectors of texts or of a picture; they are in the file of `outputs[0]`. */
    embedding(params: ParamsOf["embedding"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Find the parts of a picture; `outputs[0]` is their map, `outputs[1]` what they are. */
    segment(params: ParamsOf["segment"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Enlarge a picture or a film, as `generate` does. */
    upscale(params: ParamsOf["upscale"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make a sound effect, as `generate` does. */
    sound(params: ParamsOf["sound"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make music, as `generate` does. */
    music(params: ParamsOf["music"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Make a face say a recording, as `generate` does. */
    avatar(params: ParamsOf["avatar"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Draw frames between those of a film, as `generate` does. */
    interpolate(params: ParamsOf["interpolate"], options?: SubmitOptions & WaitOptions): Promise<Job>;
    /** Return what a job would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
    estimate<M extends Modality>(modality: M, params: ParamsOf[M], options?: FollowOptions): Promise<Estimate>;
    /** Submit up to 100 jobs together, all or none. Throws `AtelierError`, with the place of the job at fault. */
    submitMany(jobs: JobOf[], options?: SubmitOptions): Promise<Accepted[]>;
    /** Return a job as it is now. */
    status(jobId: string, options?: FollowOptions): Promise<Job>;
    /** Return a page of jobs, newest first. */
    jobs(query?: JobQuery): Promise<JobPage>;
    /** Yield the events of a job until it has ended; an interrupted stream goes on after its last event. */
    subscribe(jobId: string, options?: FollowOptions): AsyncGenerator<Progress>;
    /**
     * Yield the sound of a speech job from its beginning, as it is made where the job has `stream`. It ends early where the job fails
     * meanwhile; the job's status says so. Throws `AtelierError`.
     */
    listen(jobId: string, options?: {
        signal?: AbortSignal;
    }): AsyncGenerator<Uint8Array>;
    /** Wait until a job has completed and return it. Throws `AtelierError` when it fails or is cancelled, or in time. */
    wait(jobId: string, options?: WaitOptions): Promise<Job>;
    /** Cancel a job and return it; one that has ended stays as it is. */
    cancel(jobId: string): Promise<Job>;
    /** Remove a job with its prompt, inputs and outputs; one that runs is cancelled. */
    delete(jobId: string): Promise<void>;
    /** Change the priority of a waiting job, 0 to 9, and return it. */
    setPriority(jobId: string, priority: number): Promise<Job>;
    /** Start none of the tenant's jobs until `resumeQueue`; those that run go on. */
    pauseQueue(): Promise<QueueState>;
    /** Start the tenant's jobs again. */
    resumeQueue(): Promise<QueueState>;
    /** Return what a completed job was made of, and with. */
    manifest(jobId: string): Promise<Manifest>;
    /** Submit a completed job again, with its fields, seed and inputs, as a new job. */
    reproduce(jobId: string, options?: SubmitOptions): Promise<Accepted>;
    /** Do a failed job again as a new one that is tied to it; a repeated call returns the same new job. */
    redrive(jobId: string): Promise<Accepted>;
    /** Submit jobs of which one's output is another's input; all or none. Throws `AtelierError`. */
    submitChain(steps: ChainStep[], options?: SubmitOptions & {
        callbackUrl?: string;
    }): Promise<Chain>;
    /** Submit shots that become one film, as a chain. Throws `AtelierError`. */
    submitStoryboard(params: StoryboardParams, options?: SubmitOptions): Promise<Chain>;
    /** Make one film of shots: submit them, wait for the chain and return it with its outputs. Throws `AtelierError`, also when it fails. */
    storyboard(params: StoryboardParams, options?: SubmitOptions & WaitOptions): Promise<Chain>;
    /** Return what these shots would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
    estimateStoryboard(params: StoryboardParams, options?: FollowOptions): Promise<ChainEstimate>;
    /**
     * Wait until a chain has completed and return it; `onProgress` gets the events of its jobs, step by step. Throws `AtelierError` when it
     * fails or is cancelled, or in time.
     */
    waitChain(chainId: string, options?: WaitOptions): Promise<Chain>;
    /** Return a chain as it is now, with the status of each of its jobs. */
    chain(chainId: string, options?: FollowOptions): Promise<Chain>;
    /** Return a page of chains, newest first. */
    chains(query?: {
        limit?: number;
        cursor?: string;
    }): Promise<ChainPage>;
    /** Cancel what has not ended of a chain, and return it. */
    cancelChain(chainId: string): Promise<Chain>;
    /** Return what the key is and may do, and what its tenant has left. */
    me(): Promise<Me>;
    /** Keep the tenant's jobs on the service's own servers, or let remote backends have them, too. */
    setLocalOnly(localOnly: boolean): Promise<Me>;
    /** Return a page of keys, newest first. */
    keys(query?: {
        limit?: number;
        cursor?: string;
    }): Promise<KeyPage>;
    /** Make a key; its `key` is shown in this answer alone. */
    addKey(name: string, fields?: NewKey): Promise<KeyWithSecret>;
    /** Revoke a key. */
    revokeKey(keyId: string): Promise<void>;
    /** Return the bytes of an output, or of any link of an answer. */
    download(output: Output | string, options?: FollowOptions): Promise<Uint8Array>;
    /** Upload a file and return the id that every field takes which takes a URL of media. */
    upload(file: Blob | Uint8Array<ArrayBuffer>): Promise<string>;
    /** Return the models of the catalog. */
    models(): Promise<Model[]>;
    /** Return the voices: your own, then those of the models. */
    voices(query?: {
        model?: string;
        language?: string;
    }): Promise<Voice[]>;
    /** Store a recording as a voice: a file, or the id of an upload. */
    addVoice(name: string, source: Blob | Uint8Array<ArrayBuffer> | string): Promise<Voice>;
    /** Remove a stored voice. */
    removeVoice(voiceId: string): Promise<void>;
}
