/** The client with the names of WhaleTools' document: `generate.*` and `media.*`. */
import { Transport } from "./transport.js";
export interface WhaleOptions {
    apiKey: string;
    /** The base address on a server: https://your-host/whaletools. */
    gatewayUrl?: string;
    /** The path of your own proxy, which a browser uses instead; /api/gw by default. */
    proxyPath?: string;
    fetch?: typeof fetch;
}
export interface ImageRequest {
    prompt: string;
    model?: string;
    size?: string;
    quality?: string;
    style?: string;
    aspect_ratio?: string;
    output_format?: "png" | "jpeg" | "webp";
    negative_prompt?: string;
    seed?: number;
    webhook_url?: string;
}
export interface Pending {
    id: string;
    status: string;
    estimated_seconds: number | null;
    poll_url: string;
    model: string;
    created_at: string;
}
export interface Image {
    id: string;
    url: string;
    model: string;
    size: string;
    created_at: string;
}
export interface VideoRequest {
    prompt: string;
    model?: string;
    duration?: number;
    resolution?: string;
    aspect_ratio?: string;
    image_url?: string;
    output_format?: "mp4" | "webm";
    negative_prompt?: string;
    seed?: number;
    webhook_url?: string;
}
export interface Video {
    id: string;
    status: string;
    url?: string;
    duration?: number;
    model: string;
    created_at: string;
    estimated_seconds?: number | null;
    poll_url?: string;
    message?: string;
}
export interface VoiceRequest {
    text: string;
    voice_id?: string;
    model?: string;
    output_format?: "mp3" | "wav" | "ogg";
    language?: string;
    seed?: number;
    webhook_url?: string;
}
export interface Speech {
    id: string;
    url: string;
    duration_seconds: number;
    model: string;
    voice_id: string;
    created_at: string;
}
export interface WhaleVoice {
    id: string;
    name: string;
    preview_url: string | null;
}
export interface BackgroundRequest {
    image_url: string;
    model?: string;
    output_format?: "png" | "webp";
    semitransparency?: boolean;
    webhook_url?: string;
}
export interface Background {
    id: string;
    url: string;
    format: string;
    transparent: boolean;
    original_url: string | null;
    created_at: string;
}
export interface BatchItem {
    id: string;
    url: string | null;
    transparent: boolean;
    status: string;
}
export interface TextRequest {
    prompt?: string;
    /** A prompt of the service in place of `prompt`, and the words in its places. */
    template?: string;
    variables?: Record<string, string>;
    model?: string;
    max_tokens?: number;
    temperature?: number;
    output_format?: "txt" | "md";
    seed?: number;
    stream?: boolean;
}
export interface TextUsage {
    input_tokens: number;
    output_tokens: number;
}
export interface Completion {
    id: string;
    text: string;
    model: string;
    usage: TextUsage;
    created_at: string;
}
/** What is added to a text; the last one adds nothing, and has what the whole took. */
export interface TextChunk {
    id: string;
    text: string;
    model?: string;
    usage?: TextUsage;
    created_at?: string;
}
export interface MediaItem {
    id: string;
    object: string;
    filename: string | null;
    url: string | null;
    [field: string]: unknown;
}
export interface MediaList {
    object: "list";
    data: MediaItem[];
    has_more: boolean;
    url: string;
}
export interface UploadRequest {
    file: Blob | ArrayBuffer | Uint8Array | string;
    filename?: string;
    content_type?: string;
    tags?: string[];
}
export interface ListRequest {
    type?: "image" | "video" | "audio" | "document";
    tags?: string[];
    limit?: number;
    sort?: string;
    starting_after?: string;
    ending_before?: string;
}
export interface LinkRequest {
    media_id: string;
    product_id?: string;
    variant_id?: string;
    position?: number;
}
/** `generate.video`: a function with `get`; `generate.voice` and the others likewise. */
export interface Generate {
    image(request: ImageRequest): Promise<Image>;
    video: ((request: VideoRequest) => Promise<Pending>) & {
        get(id: string): Promise<Video>;
    };
    voice: ((request: VoiceRequest) => Promise<Speech>) & {
        list(): Promise<WhaleVoice[]>;
        clone(request: {
            name: string;
            audio_url: string;
            description?: string;
        }): Promise<WhaleVoice>;
        delete(id: string): Promise<void>;
    };
    removeBackground: ((request: BackgroundRequest) => Promise<Background>) & {
        batch(request: {
            image_urls: string[];
            model?: string;
        }): Promise<BatchItem[]>;
    };
    text(request: TextRequest & {
        stream: true;
    }): Promise<AsyncGenerator<TextChunk, void>>;
    text(request: TextRequest & {
        stream?: false;
    }): Promise<Completion>;
}
/** A client of WhaleTools' wire format. */
export declare class WhaleClient {
    readonly generate: Generate;
    readonly media: WhaleMedia;
    constructor(options: WhaleOptions);
}
/** The media library. */
export declare class WhaleMedia {
    #private;
    constructor(transport: Transport);
    /** Store a file. */
    upload(request: UploadRequest): Promise<MediaItem>;
    /** Return a page of what is stored, newest first unless `sort` says otherwise. */
    list(request?: ListRequest): Promise<MediaList>;
    /** Return one item. */
    get(id: string): Promise<MediaItem>;
    /** Remove an item with its file. */
    delete(id: string): Promise<void>;
    /** Link an item, or several, to a product or a variant. */
    link(request: LinkRequest | LinkRequest[]): Promise<unknown>;
}
