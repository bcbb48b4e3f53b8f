/** The client with the names of VideoGen's document: `tools.*`, `files.*`, `resources.*`, `webhooks.*`. */
import { AtelierError } from "./errors.js";
import { Transport, pause } from "./transport.js";
const ENDED = new Set(["succeeded", "failed", "cancelled"]);
/** A client of VideoGen's wire format. */
export class VideoGenClient {
    tools;
    files;
    resources;
    webhooks;
    #transport;
    constructor(options) {
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
    me() {
        return this.#transport.json("GET", "/v1/me");
    }
}
/** The tools: each method accepts an execution, and `waitForExecution` follows one. */
export class VideoGenTools {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    generateImage(request) {
        return this.#run("generate-image", request);
    }
    generateVideoClip(request) {
        return this.#run("generate-video-clip", request);
    }
    textToSpeech(request) {
        return this.#run("text-to-speech", request);
    }
    generateSoundEffect(request) {
        return this.#run("generate-sound-effect", request);
    }
    generateAvatarClip(request) {
        return this.#run("generate-avatar", request);
    }
    vectorizeImage(request) {
        return this.#run("vectorize-image", request);
    }
    removeImageBackground(request) {
        return this.#run("remove-image-background", request);
    }
    removeVideoBackground(request) {
        return this.#run("remove-video-background", request);
    }
    upscaleImage(request) {
        return this.#run("upscale-image", request);
    }
    upscaleVideo(request) {
        return this.#run("upscale-video", request);
    }
    cancelToolExecution(toolExecutionId) {
        return this.#transport.json("POST", `/v1/tools/executions/${encodeURIComponent(toolExecutionId)}/cancel`);
    }
    getToolExecutionInfo(toolExecutionId) {
        return this.#transport.json("GET", `/v1/tools/executions/${encodeURIComponent(toolExecutionId)}`);
    }
    listToolExecutions(query = {}) {
        return this.#transport.json("GET", "/v1/tools/executions", { query });
    }
    /** Poll an execution until it has succeeded, and return it. Throws `AtelierError` for another end, or in time. */
    async waitForExecution(toolExecutionId, options = {}) {
        const until = Date.now() + (options.timeoutMs ?? 3_600_000);
        for (;;) {
            const info = await this.getToolExecutionInfo(toolExecutionId);
            options.onProgress?.(info);
            if (info.status === "succeeded")
                return info;
            if (ENDED.has(info.status)) {
                throw new AtelierError(info.error?.message ?? `The execution is ${info.status}.`, {
                    status: 0,
                    code: info.error?.code ?? info.status,
                    body: info,
                });
            }
            if (Date.now() >= until)
                throw new AtelierError("The execution has not ended in time.", { status: 0, code: "timeout" });
            await pause(options.pollMs ?? 1500, options.signal);
        }
    }
    #run(tool, body) {
        return this.#transport.json("POST", `/v1/tools/${tool}`, { body, idempotencyKey: crypto.randomUUID() });
    }
}
/** Files that were uploaded or made. */
export class VideoGenFiles {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    listFiles(query = {}) {
        return this.#transport.json("GET", "/v1/files", { query });
    }
    searchFiles(request) {
        return this.#transport.json("POST", "/v1/files/search", { body: request });
    }
    getFile(fileId) {
        return this.#transport.json("GET", `/v1/files/${encodeURIComponent(fileId)}`);
    }
    createFileUpload(request) {
        return this.#transport.json("POST", "/v1/files/upload", { body: request });
    }
    hydrateFile(fileId) {
        return this.#act(fileId, "hydrate");
    }
    archiveFile(fileId) {
        return this.#act(fileId, "archive");
    }
    enablePublicPreview(fileId) {
        return this.#act(fileId, "enable-public-preview");
    }
    disablePublicPreview(fileId) {
        return this.#act(fileId, "disable-public-preview");
    }
    /** Upload a file and return it, hydrated. */
    async uploadFile(file, request) {
        const made = await this.createFileUpload(request);
        await this.#transport.put(made.uploadUrl, file instanceof Blob ? await file.arrayBuffer() : file);
        return this.hydrateFile(made.fileId);
    }
    #act(fileId, action) {
        return this.#transport.json("POST", `/v1/files/${encodeURIComponent(fileId)}/${action}`);
    }
}
/** What tools can be given. */
export class VideoGenResources {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    listTtsVoices(query = {}) {
        return this.#transport.json("GET", "/v1/resources/tts-voices", { query });
    }
    listAvatarPresenters(query = {}) {
        return this.#transport.json("GET", "/v1/resources/avatar-presenters", { query });
    }
    listLanguages(query = {}) {
        return this.#transport.json("GET", "/v1/resources/languages", { query });
    }
}
/** Endpoints that receive events; `verifyWebhook` checks what they get. */
export class VideoGenWebhooks {
    #transport;
    constructor(transport) {
        this.#transport = transport;
    }
    listWebhooks(query = {}) {
        return this.#transport.json("GET", "/v1/webhooks/endpoints", { query });
    }
    createWebhook(request) {
        return this.#transport.json("POST", "/v1/webhooks/endpoints", { body: request });
    }
    deleteWebhook(endpointId) {
        return this.#transport.json("DELETE", `/v1/webhooks/endpoints/${encodeURIComponent(endpointId)}`);
    }
}
