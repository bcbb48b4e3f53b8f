/** The client with the names of VideoGen's document: `tools.*`, `files.*`, `resources.*`, `webhooks.*`. */

import { AtelierError } from "./errors.js";
import { Transport, pause } from "./transport.js";

export interface VideoGenOptions {
  /** The API key. */
  token: string;
  /** The base address: https://your-host/videogen. */
  baseUrl?: string;
  fetch?: typeof fetch;
}

export interface AspectRatio {
  width: number;
  height: number;
}

/** Fields of the tools. */
export interface ToolOptions {
  watermarkMode?: "AUTO" | "VIDEO_GEN" | "NONE";
  numResults?: number;
  isOutputTemporary?: boolean;
}

export interface GenerateImage extends ToolOptions {
  prompt: string;
  imageFileIds?: string[];
  aspectRatio?: AspectRatio;
  quality?: "LOW" | "STANDARD" | "HIGH" | "MAX";
}

export interface GenerateVideoClip extends ToolOptions {
  prompt?: string;
  startFrameFileId?: string;
  imageFileIds?: string[];
  durationSeconds?: number | null;
  aspectRatio?: AspectRatio;
  generateAudio?: boolean;
  [field: string]: unknown;
}

export interface TextToSpeech extends ToolOptions {
  ttsText: string;
  voiceId: string;
  speechLanguageCode?: string;
  voiceSpeed?: number;
}

export interface ImageFile extends ToolOptions {
  imageFileId: string;
}

export interface VideoFile extends ToolOptions {
  videoFileId: string;
}

export interface ToolExecution {
  toolExecutionId: string;
}

export interface VideoGenFile {
  fileId: string;
  type: string | null;
  displayName: string | null;
  downloadUrl: string | null;
  [field: string]: unknown;
}

export interface ToolResult {
  fileId: string;
  type: string;
  downloadUrl: string;
  thumbnailUrl: string | null;
  file: VideoGenFile;
  [field: string]: unknown;
}

export interface ToolExecutionInfo extends ToolExecution {
  status: "pending" | "running" | "succeeded" | "failed" | "cancelled" | "awaiting_approval";
  toolType: string;
  progressPercentage: number;
  attemptIndex: number;
  results: ToolResult[];
  error: { message: string; code: string | null } | null;
}

export interface PageQuery {
  limit?: number;
  cursor?: string;
}

export interface ExecutionWait {
  onProgress?: (info: ToolExecutionInfo) => void;
  pollMs?: number;
  timeoutMs?: number;
  signal?: AbortSignal;
}

const ENDED = new Set(["succeeded", "failed", "cancelled"]);

/** A client of VideoGen's wire format. */
export class VideoGenClient {
  readonly tools: VideoGenTools;
  readonly files: VideoGenFiles;
  readonly resources: VideoGenResources;
  readonly webhooks: VideoGenWebhooks;
  readonly #transport: Transport;

  constructor(options: VideoGenOptions) {
    this.#transport = new Transport({
      baseUrl: options.baseUrl ?? "http://127.0.0.1:8000/videogen",
      headers: { authorization: `Bearer ${options.token}` },
      fetch: options.fetch,
    });
    this.tools = new VideoGenTools(this.#transport);
    this.files = new VideoGenFiles(this.#transport);
    this.resources = new VideoGenResources(this.#transport);
    this.webhooks = new VideoGenWebhooks(this.#transport);
  }

  /** Whose key it is. */
  me(): Promise<Record<string, unknown>> {
    return this.#transport.json("GET", "/v1/me");
  }
}

/** The tools: each method accepts an execution, and `waitForExecution` follows one. */
export class VideoGenTools {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  generateImage(request: GenerateImage): Promise<ToolExecution> {
    return this.#run("generate-image", request);
  }

  generateVideoClip(request: GenerateVideoClip): Promise<ToolExecution> {
    return this.#run("generate-video-clip", request);
  }

  textToSpeech(request: TextToSpeech): Promise<ToolExecution> {
    return this.#run("text-to-speech", request);
  }

  generateSoundEffect(request: { prompt: string; durationSeconds?: number } & ToolOptions): Promise<ToolExecution> {
    return this.#run("generate-sound-effect", request);
  }

  generateAvatarClip(request: Record<string, unknown>): Promise<ToolExecution> {
    return this.#run("generate-avatar", request);
  }

  vectorizeImage(request: ImageFile): Promise<ToolExecution> {
    return this.#run("vectorize-image", request);
  }

  removeImageBackground(request: ImageFile): Promise<ToolExecution> {
    return this.#run("remove-image-background", request);
  }

  removeVideoBackground(request: VideoFile): Promise<ToolExecution> {
    return this.#run("remove-video-background", request);
  }

  upscaleImage(request: ImageFile): Promise<ToolExecution> {
    return this.#run("upscale-image", request);
  }

  upscaleVideo(request: VideoFile): Promise<ToolExecution> {
    return this.#run("upscale-video", request);
  }

  cancelToolExecution(toolExecutionId: string): Promise<ToolExecution> {
    return this.#transport.json("POST", `/v1/tools/executions/${encodeURIComponent(toolExecutionId)}/cancel`);
  }

  getToolExecutionInfo(toolExecutionId: string): Promise<ToolExecutionInfo> {
    return this.#transport.json("GET", `/v1/tools/executions/${encodeURIComponent(toolExecutionId)}`);
  }

  listToolExecutions(query: PageQuery = {}): Promise<{ toolExecutions: ToolExecutionInfo[]; hasMore: boolean; nextCursor: string | null }> {
    return this.#transport.json("GET", "/v1/tools/executions", { query });
  }

  /** Poll an execution until it has succeeded, and return it. Throws `AtelierError` for another end, or in time. */
  async waitForExecution(toolExecutionId: string, options: ExecutionWait = {}): Promise<ToolExecutionInfo> {
    const until = Date.now() + (options.timeoutMs ?? 3_600_000);
    for (;;) {
      const info = await this.getToolExecutionInfo(toolExecutionId);
      options.onProgress?.(info);
      if (info.status === "succeeded") return info;
      if (ENDED.has(info.status)) {
        throw new AtelierError(info.error?.message ?? `The execution is ${info.status}.`, {
          status: 0,
          code: info.error?.code ?? info.status,
          body: info,
        });
      }
      if (Date.now() >= until) throw new AtelierError("The execution has not ended in time.", { status: 0, code: "timeout" });
      await pause(options.pollMs ?? 1500, options.signal);
    }
  }

  #run(tool: string, body: object): Promise<ToolExecution> {
    return this.#transport.json("POST", `/v1/tools/${tool}`, { body, idempotencyKey: crypto.randomUUID() });
  }
}

/** Files that were uploaded or made. */
export class VideoGenFiles {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  listFiles(query: PageQuery = {}): Promise<{ files: VideoGenFile[]; hasMore: boolean; nextCursor: string | null }> {
    return this.#transport.json("GET", "/v1/files", { query });
  }

  searchFiles(request: { query: string; numResults?: number }): Promise<{ results: { similarity: number; file: VideoGenFile }[] }> {
    return this.#transport.json("POST", "/v1/files/search", { body: request });
  }

  getFile(fileId: string): Promise<VideoGenFile> {
    return this.#transport.json("GET", `/v1/files/${encodeURIComponent(fileId)}`);
  }

  createFileUpload(request: { displayName: string; type?: string; isTemporary?: boolean }): Promise<{ fileId: string; uploadUrl: string }> {
    return this.#transport.json("POST", "/v1/files/upload", { body: request });
  }

  hydrateFile(fileId: string): Promise<VideoGenFile> {
    return this.#act(fileId, "hydrate");
  }

  archiveFile(fileId: string): Promise<VideoGenFile> {
    return this.#act(fileId, "archive");
  }

  enablePublicPreview(fileId: string): Promise<VideoGenFile> {
    return this.#act(fileId, "enable-public-preview");
  }

  disablePublicPreview(fileId: string): Promise<VideoGenFile> {
    return this.#act(fileId, "disable-public-preview");
  }

  /** Upload a file and return it, hydrated. */
  async uploadFile(file: Blob | Uint8Array<ArrayBuffer>, request: { displayName: string; type?: string; isTemporary?: boolean }): Promise<VideoGenFile> {
    const made = await this.createFileUpload(request);
    await this.#transport.put(made.uploadUrl, file instanceof Blob ? await file.arrayBuffer() : file);
    return this.hydrateFile(made.fileId);
  }

  #act(fileId: string, action: string): Promise<VideoGenFile> {
    return this.#transport.json("POST", `/v1/files/${encodeURIComponent(fileId)}/${action}`);
  }
}

/** What tools can be given. */
export class VideoGenResources {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  listTtsVoices(query: PageQuery & { query?: string } = {}): Promise<{ ttsVoices: Record<string, unknown>[]; hasMore: boolean; nextCursor: string | null }> {
    return this.#transport.json("GET", "/v1/resources/tts-voices", { query });
  }

  listAvatarPresenters(query: PageQuery = {}): Promise<Record<string, unknown>> {
    return this.#transport.json("GET", "/v1/resources/avatar-presenters", { query });
  }

  listLanguages(query: { query?: string } = {}): Promise<{ languages: { languageCode: string; name: string }[] }> {
    return this.#transport.json("GET", "/v1/resources/languages", { query });
  }
}

/** Endpoints that receive events; `verifyWebhook` checks what they get. */
export class VideoGenWebhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  listWebhooks(query: PageQuery = {}): Promise<Record<string, unknown>> {
    return this.#transport.json("GET", "/v1/webhooks/endpoints", { query });
  }

  createWebhook(request: { url: string; events: string[]; description?: string }): Promise<Record<string, unknown>> {
    return this.#transport.json("POST", "/v1/webhooks/endpoints", { body: request });
  }

  deleteWebhook(endpointId: string): Promise<void> {
    return this.#transport.json("DELETE", `/v1/webhooks/endpoints/${encodeURIComponent(endpointId)}`);
  }
}
