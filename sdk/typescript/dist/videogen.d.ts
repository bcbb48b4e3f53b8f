/** The client with the names of VideoGen's document: `tools.*`, `files.*`, `resources.*`, `webhooks.*`. */
import { Transport } from "./transport.js";
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
    error: {
        message: string;
        code: string | null;
    } | null;
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
/** A client of VideoGen's wire format. */
export declare class VideoGenClient {
    #private;
    readonly tools: VideoGenTools;
    readonly files: VideoGenFiles;
    readonly resources: VideoGenResources;
    readonly webhooks: VideoGenWebhooks;
    constructor(options: VideoGenOptions);
    /** Whose key it is. */
    me(): Promise<Record<string, unknown>>;
}
/** The tools: each method accepts an execution, and `waitForExecution` follows one. */
export declare class VideoGenTools {
    #private;
    constructor(transport: Transport);
    generateImage(request: GenerateImage): Promise<ToolExecution>;
    generateVideoClip(request: GenerateVideoClip): Promise<ToolExecution>;
    textToSpeech(request: TextToSpeech): Promise<ToolExecution>;
    generateSoundEffect(request: {
        prompt: string;
        durationSeconds?: number;
    } & ToolOptions): Promise<ToolExecution>;
    generateAvatarClip(request: Record<string, unknown>): Promise<ToolExecution>;
    vectorizeImage(request: ImageFile): Promise<ToolExecution>;
    removeImageBackground(request: ImageFile): Promise<ToolExecution>;
    removeVideoBackground(request: VideoFile): Promise<ToolExecution>;
    upscaleImage(request: ImageFile): Promise<ToolExecution>;
    upscaleVideo(request: VideoFile): Promise<ToolExecution>;
    cancelToolExecution(toolExecutionId: string): Promise<ToolExecution>;
    getToolExecutionInfo(toolExecutionId: string): Promise<ToolExecutionInfo>;
    listToolExecutions(query?: PageQuery): Promise<{
        toolExecutions: ToolExecutionInfo[];
        hasMore: boolean;
        nextCursor: string | null;
    }>;
    /** Poll an execution until it has succeeded, and return it. Throws `AtelierError` for another end, or in time. */
    waitForExecution(toolExecutionId: string, options?: ExecutionWait): Promise<ToolExecutionInfo>;
}
/** Files that were uploaded or made. */
export declare class VideoGenFiles {
    #private;
    constructor(transport: Transport);
    listFiles(query?: PageQuery): Promise<{
        files: VideoGenFile[];
        hasMore: boolean;
        nextCursor: string | null;
    }>;
    searchFiles(request: {
        query: string;
        numResults?: number;
    }): Promise<{
        results: {
            similarity: number;
            file: VideoGenFile;
        }[];
    }>;
    getFile(fileId: string): Promise<VideoGenFile>;
    createFileUpload(request: {
        displayName: string;
        type?: string;
        isTemporary?: boolean;
    }): Promise<{
        fileId: string;
        uploadUrl: string;
    }>;
    hydrateFile(fileId: string): Promise<VideoGenFile>;
    archiveFile(fileId: string): Promise<VideoGenFile>;
    enablePublicPreview(fileId: string): Promise<VideoGenFile>;
    disablePublicPreview(fileId: string): Promise<VideoGenFile>;
    /** Upload a file and return it, hydrated. */
    uploadFile(file: Blob | Uint8Array<ArrayBuffer>, request: {
        displayName: string;
        type?: string;
        isTemporary?: boolean;
    }): Promise<VideoGenFile>;
}
/** What tools can be given. */
export declare class VideoGenResources {
    #private;
    constructor(transport: Transport);
    listTtsVoices(query?: PageQuery & {
        query?: string;
    }): Promise<{
        ttsVoices: Record<string, unknown>[];
        hasMore: boolean;
        nextCursor: string | null;
    }>;
    listAvatarPresenters(query?: PageQuery): Promise<Record<string, unknown>>;
    listLanguages(query?: {
        query?: string;
    }): Promise<{
        languages: {
            languageCode: string;
            name: string;
        }[];
    }>;
}
/** Endpoints that receive events; `verifyWebhook` checks what they get. */
export declare class VideoGenWebhooks {
    #private;
    constructor(transport: Transport);
    listWebhooks(query?: PageQuery): Promise<Record<string, unknown>>;
    createWebhook(request: {
        url: string;
        events: string[];
        description?: string;
    }): Promise<Record<string, unknown>>;
    deleteWebhook(endpointId: string): Promise<void>;
}
