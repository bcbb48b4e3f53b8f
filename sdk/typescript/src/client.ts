/** The native client: jobs of every modality, followed to their end. */

import { AtelierError } from "./errors.js";
import { readEvents } from "./events.js";
import { MediaLibrary } from "./media.js";
import { Transport, labelFilter, pause, piecesOf } from "./transport.js";
import type {
  Accepted,
  AcceptedJobs,
  Chain,
  ChainEstimate,
  ChainPage,
  Estimate,
  Job,
  JobPage,
  JobStatus,
  KeyPage,
  KeyWithSecret,
  Manifest,
  Me,
  Modality,
  Model,
  Output,
  ParamsOf,
  Progress,
  StepPreview,
  QueueState,
  StoredInput,
  StoryboardParams,
  Voice,
} from "./types.js";

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
export type JobOf = { [M in Modality]: ParamsOf[M] & { modality: M } }[Modality];

/** A step of a chain: its name, its modality and its fields. A field may be `step:<name>`, the output of an earlier one. */
export type ChainStep = { name: string; modality: Modality } & Record<string, unknown>;

export interface NewKey {
  /** `read`, `write`, `admin` or finer ones; none stands for `write`. */
  scopes?: string[];
  expires_in_seconds?: number;
  priority_ceiling?: number;
  budget_usd?: number;
}

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
const RECONNECT_MS = 1000;
const PATIENCE_MS = 60_000;

/** A client of one service with one key. */
export class AtelierClient {
  readonly media: MediaLibrary;
  readonly #transport: Transport;

  constructor(options: AtelierOptions) {
    this.#transport = new Transport({
      baseUrl: options.url ?? "http://127.0.0.1:8000",
      headers: { "x-api-key": options.apiKey },
      retries: options.retries,
      fetch: options.fetch,
    });
    this.media = new MediaLibrary(this.#transport);
  }

  /** Submit a job and return at once. Throws `AtelierError`. */
  submit<M extends Modality>(modality: M, params: ParamsOf[M], options: SubmitOptions = {}): Promise<Accepted> {
    return this.#transport.json<Accepted>("POST", `/generate/${modality}/v1`, {
      body: params,
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal: options.signal,
    });
  }

  /** Submit a job, wait for it and return it with its outputs. Throws `AtelierError`, also when it fails. */
  async generate<M extends Modality>(
    modality: M,
    params: ParamsOf[M],
    options: SubmitOptions & WaitOptions = {},
  ): Promise<Job> {
    const accepted = await this.submit(modality, params, options);
    return this.wait(accepted.job_id, options);
  }

  /** Make images, as `generate` does. */
  image(params: ParamsOf["image"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("image", params, options);
  }

  /** Make a film, as `generate` does. */
  video(params: ParamsOf["video"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("video", params, options);
  }

  /** Speak a text, as `generate` does. */
  speech(params: ParamsOf["speech"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("speech", params, options);
  }

  /** Make a mesh of a picture, as `generate` does. */
  mesh(params: ParamsOf["3d"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("3d", params, options);
  }

  /** Cut the foreground out of a picture or a film, as `generate` does. */
  removeBackground(params: ParamsOf["remove-background"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("remove-background", params, options);
  }

  /** Put a logo or the colors of a palette on a picture, as `generate` does. */
  branding(params: ParamsOf["branding"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("branding", params, options);
  }

  /** Make one film of several, one after the other, as `generate` does. */
  join(params: ParamsOf["join"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("join", params, options);
  }

  /** Make an SVG of a picture, as `generate` does. */
  vectorize(params: ParamsOf["vectorize"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("vectorize", params, options);
  }

  /** Write a text; it is `outputs[0].text`. */
  text(params: ParamsOf["text"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("text", params, options);
  }

  /** Write down what is said in a recording or a film; the words are `outputs[0].text`. */
  transcript(params: ParamsOf["transcript"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("transcript", params, options);
  }

  /** Make vectors of texts or of a picture; they are in the file of `outputs[0]`. */
  embedding(params: ParamsOf["embedding"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("embedding", params, options);
  }

  /** Find the parts of a picture; `outputs[0]` is their map, `outputs[1]` what they are. */
  segment(params: ParamsOf["segment"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("segment", params, options);
  }

  /** Enlarge a picture or a film, as `generate` does. */
  upscale(params: ParamsOf["upscale"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("upscale", params, options);
  }

  /** Make a sound effect, as `generate` does. */
  sound(params: ParamsOf["sound"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("sound", params, options);
  }

  /** Make music, as `generate` does. */
  music(params: ParamsOf["music"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("music", params, options);
  }

  /** Make a face say a recording, as `generate` does. */
  avatar(params: ParamsOf["avatar"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("avatar", params, options);
  }

  /** Draw frames between those of a film, as `generate` does. */
  interpolate(params: ParamsOf["interpolate"], options: SubmitOptions & WaitOptions = {}): Promise<Job> {
    return this.generate("interpolate", params, options);
  }

  /** Return what a job would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
  estimate<M extends Modality>(modality: M, params: ParamsOf[M], options: FollowOptions = {}): Promise<Estimate> {
    return this.#transport.json<Estimate>("POST", "/estimates/v1", {
      body: { ...params, modality },
      repeatable: true,
      signal: options.signal,
    });
  }

  /** Submit up to 100 jobs together, all or none. Throws `AtelierError`, with the place of the job at fault. */
  async submitMany(jobs: JobOf[], options: SubmitOptions = {}): Promise<Accepted[]> {
    const answer = await this.#transport.json<AcceptedJobs>("POST", "/jobs/v1", {
      body: { jobs },
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal: options.signal,
    });
    return answer.jobs;
  }

  /** Return a job as it is now. */
  status(jobId: string, options: FollowOptions = {}): Promise<Job> {
    return this.#transport.json<Job>("GET", `/jobs/v1/${encodeURIComponent(jobId)}`, { signal: options.signal });
  }

  /** Return a page of jobs, newest first. */
  jobs(query: JobQuery = {}): Promise<JobPage> {
    const { labels, ...others } = query;
    return this.#transport.json<JobPage>("GET", "/jobs/v1", { query: { ...others, label: labelFilter(labels) } });
  }

  /** Yield the events of a job until it has ended; an interrupted stream goes on after its last event. */
  async *subscribe(jobId: string, options: FollowOptions = {}): AsyncGenerator<Progress> {
    let seen = "";
    let awaySince: number | undefined;
    for (;;) {
      try {
        const headers: Record<string, string> = { accept: "text/event-stream" };
        if (seen !== "") headers["last-event-id"] = seen;
        const path = `/jobs/v1/${encodeURIComponent(jobId)}/events`;
        const query = options.onPreview === undefined ? {} : { previews: "true" };
        const answer = await this.#transport.send("GET", path, { headers, query, streams: true, signal: options.signal });
        if (answer.status === 204 || answer.body === null) return;
        for await (const event of readEvents(answer.body)) {
          seen = event.id || seen;
          awaySince = undefined;
          if (event.event === "preview") {
            options.onPreview?.(JSON.parse(event.data) as StepPreview);
            continue;
          }
          const progress = JSON.parse(event.data) as Progress;
          yield progress;
          if (ENDED.has(progress.status)) return;
        }
      } catch (error) {
        if (options.signal?.aborted || (error instanceof AtelierError && error.status !== 0)) throw error;
        awaySince ??= Date.now();
        if (Date.now() - awaySince > PATIENCE_MS) throw error;
      }
      await pause(RECONNECT_MS, options.signal);
    }
  }

  /**
   * Yield the sound of a speech job from its beginning, as it is made where the job has `stream`. It ends early where the job fails
   * meanwhile; the job's status says so. Throws `AtelierError`.
   */
  async *listen(jobId: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<Uint8Array> {
    const path = `/jobs/v1/${encodeURIComponent(jobId)}/sound`;
    const headers = { accept: "*/*" };
    const answer = await this.#transport.send("GET", path, { headers, streams: true, signal: options.signal });
    if (answer.body !== null) yield* piecesOf(answer.body);
  }

  /** Wait until a job has completed and return it. Throws `AtelierError` when it fails or is cancelled, or in time. */
  async wait(jobId: string, options: WaitOptions = {}): Promise<Job> {
    const signal = signalOf(options);
    const follow = { signal, onPreview: options.onPreview };
    for await (const event of this.subscribe(jobId, follow)) options.onProgress?.(event);
    const job = await this.status(jobId, { signal });
    if (job.status === "completed") return job;
    throw new AtelierError(job.error?.message ?? "The job was cancelled.", {
      status: 0,
      code: job.error?.code ?? job.status,
      body: job,
    });
  }

  /** Cancel a job and return it; one that has ended stays as it is. */
  cancel(jobId: string): Promise<Job> {
    return this.#transport.json<Job>("POST", `/jobs/v1/${encodeURIComponent(jobId)}/cancel`);
  }

  /** Remove a job with its prompt, inputs and outputs; one that runs is cancelled. */
  delete(jobId: string): Promise<void> {
    return this.#transport.json<void>("DELETE", `/jobs/v1/${encodeURIComponent(jobId)}`);
  }

  /** Change the priority of a waiting job, 0 to 9, and return it. */
  setPriority(jobId: string, priority: number): Promise<Job> {
    return this.#transport.json<Job>("PATCH", `/jobs/v1/${encodeURIComponent(jobId)}`, { body: { priority }, repeatable: true });
  }

  /** Start none of the tenant's jobs until `resumeQueue`; those that run go on. */
  pauseQueue(): Promise<QueueState> {
    return this.#transport.json<QueueState>("POST", "/jobs/v1/pause", { repeatable: true });
  }

  /** Start the tenant's jobs again. */
  resumeQueue(): Promise<QueueState> {
    return this.#transport.json<QueueState>("POST", "/jobs/v1/resume", { repeatable: true });
  }

  /** Return what a completed job was made of, and with. */
  manifest(jobId: string): Promise<Manifest> {
    return this.#transport.json<Manifest>("GET", `/jobs/v1/${encodeURIComponent(jobId)}/manifest`);
  }

  /** Submit a completed job again, with its fields, seed and inputs, as a new job. */
  reproduce(jobId: string, options: SubmitOptions = {}): Promise<Accepted> {
    return this.#transport.json<Accepted>("POST", `/jobs/v1/${encodeURIComponent(jobId)}/reproduce`, {
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal: options.signal,
    });
  }

  /** Do a failed job again as a new one that is tied to it; a repeated call returns the same new job. */
  redrive(jobId: string): Promise<Accepted> {
    return this.#transport.json<Accepted>("POST", `/jobs/v1/${encodeURIComponent(jobId)}/redrive`, { repeatable: true });
  }

  /** Submit jobs of which one's output is another's input; all or none. Throws `AtelierError`. */
  submitChain(steps: ChainStep[], options: SubmitOptions & { callbackUrl?: string } = {}): Promise<Chain> {
    return this.#transport.json<Chain>("POST", "/chains/v1", {
      body: options.callbackUrl === undefined ? { steps } : { steps, callback_url: options.callbackUrl },
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal: options.signal,
    });
  }

  /** Submit shots that become one film, as a chain. Throws `AtelierError`. */
  submitStoryboard(params: StoryboardParams, options: SubmitOptions = {}): Promise<Chain> {
    return this.#transport.json<Chain>("POST", "/storyboards/v1", {
      body: params,
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal: options.signal,
    });
  }

  /** Make one film of shots: submit them, wait for the chain and return it with its outputs. Throws `AtelierError`, also when it fails. */
  async storyboard(params: StoryboardParams, options: SubmitOptions & WaitOptions = {}): Promise<Chain> {
    const chain = await this.submitStoryboard(params, options);
    return this.waitChain(chain.chain_id, options);
  }

  /** Return what these shots would take and cost now; nothing is submitted, and media are not read. Throws `AtelierError`. */
  estimateStoryboard(params: StoryboardParams, options: FollowOptions = {}): Promise<ChainEstimate> {
    return this.#transport.json<ChainEstimate>("POST", "/storyboards/v1/estimate", {
      body: params,
      repeatable: true,
      signal: options.signal,
    });
  }

  /**
   * Wait until a chain has completed and return it; `onProgress` gets the events of its jobs, step by step. Throws `AtelierError` when it
   * fails or is cancelled, or in time.
   */
  async waitChain(chainId: string, options: WaitOptions = {}): Promise<Chain> {
    const signal = signalOf(options);
    for (const { job } of (await this.chain(chainId, { signal })).steps) {
      if (job === null) continue;
      const follow = { signal, onPreview: options.onPreview };
      for await (const event of this.subscribe(job.job_id, follow)) options.onProgress?.(event);
    }
    for (;;) {
      const chain = await this.chain(chainId, { signal });
      if (chain.status === "completed") return chain;
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
  chain(chainId: string, options: FollowOptions = {}): Promise<Chain> {
    return this.#transport.json<Chain>("GET", `/chains/v1/${encodeURIComponent(chainId)}`, { signal: options.signal });
  }

  /** Return a page of chains, newest first. */
  chains(query: { limit?: number; cursor?: string } = {}): Promise<ChainPage> {
    return this.#transport.json<ChainPage>("GET", "/chains/v1", { query });
  }

  /** Cancel what has not ended of a chain, and return it. */
  cancelChain(chainId: string): Promise<Chain> {
    return this.#transport.json<Chain>("POST", `/chains/v1/${encodeURIComponent(chainId)}/cancel`, { repeatable: true });
  }

  /** Return what the key is and may do, and what its tenant has left. */
  me(): Promise<Me> {
    return this.#transport.json<Me>("GET", "/me/v1");
  }

  /** Keep the tenant's jobs on the service's own servers, or let remote backends have them, too. */
  setLocalOnly(localOnly: boolean): Promise<Me> {
    return this.#transport.json<Me>("PATCH", "/me/v1", { body: { local_only: localOnly }, repeatable: true });
  }

  /** Return a page of keys, newest first. */
  keys(query: { limit?: number; cursor?: string } = {}): Promise<KeyPage> {
    return this.#transport.json<KeyPage>("GET", "/keys/v1", { query });
  }

  /** Make a key; its `key` is shown in this answer alone. */
  addKey(name: string, fields: NewKey = {}): Promise<KeyWithSecret> {
    return this.#transport.json<KeyWithSecret>("POST", "/keys/v1", { body: { name, ...fields } });
  }

  /** Revoke a key. */
  revokeKey(keyId: string): Promise<void> {
    return this.#transport.json<void>("DELETE", `/keys/v1/${encodeURIComponent(keyId)}`);
  }

  /** Return the bytes of an output, or of any link of an answer. */
  async download(output: Output | string, options: FollowOptions = {}): Promise<Uint8Array> {
    const answer = await this.#transport.download(typeof output === "string" ? output : output.url, options.signal);
    return new Uint8Array(await answer.arrayBuffer());
  }

  /** Upload a file and return the id that every field takes which takes a URL of media. */
  async upload(file: Blob | Uint8Array<ArrayBuffer>): Promise<string> {
    const body = file instanceof Blob ? file : new Blob([file]);
    return (await this.#transport.json<StoredInput>("POST", "/inputs/v1", { body })).input_id;
  }

  /** Return the models of the catalog. */
  async models(): Promise<Model[]> {
    return (await this.#transport.json<{ models: Model[] }>("GET", "/models/v1")).models;
  }

  /** Return the voices: your own, then those of the models. */
  async voices(query: { model?: string; language?: string } = {}): Promise<Voice[]> {
    return (await this.#transport.json<{ voices: Voice[] }>("GET", "/voices/v1", { query })).voices;
  }

  /** Store a recording as a voice: a file, or the id of an upload. */
  async addVoice(name: string, source: Blob | Uint8Array<ArrayBuffer> | string): Promise<Voice> {
    const stored = typeof source === "string" ? source : await this.upload(source);
    return this.#transport.json<Voice>("POST", "/voices/v1", { body: { name, source: stored } });
  }

  /** Remove a stored voice. */
  removeVoice(voiceId: string): Promise<void> {
    return this.#transport.json<void>("DELETE", `/voices/v1/${encodeURIComponent(voiceId)}`);
  }
}

/** Return what ends a wait: the caller's signal, or its time. */
function signalOf(options: WaitOptions): AbortSignal | undefined {
  const limit = options.timeoutMs === undefined ? [] : [AbortSignal.timeout(options.timeoutMs)];
  const signals = options.signal === undefined ? limit : [...limit, options.signal];
  return signals.length > 0 ? AbortSignal.any(signals) : undefined;
}
