/** What the native routes take and answer; the OpenAPI document of a service (/schema) has every field. */
export type Modality = "image" | "video" | "speech" | "3d" | "remove-background";
export type JobStatus = "pending" | "queued" | "processing" | "completed" | "failed" | "cancelled";
export type ImageFormat = "webp" | "jpeg" | "png";
export type Quality = "fast" | "standard" | "pro" | "ultra";
/** Fields of every submit. */
export interface CommonParams {
    model?: string;
    callback_url?: string;
    server_id?: string;
    pin?: "strict" | "prefer";
    prefer_seconds?: number;
    priority?: number;
    deadline_seconds?: number;
}
export interface ImageParams extends CommonParams {
    prompt: string;
    output_format?: ImageFormat;
    quality?: Quality;
    num_images?: number;
    input_image?: string;
    strength?: number;
    reference_images?: string[];
    negative_prompt?: string;
    width?: number;
    height?: number;
    num_inference_steps?: number;
    guidance_scale?: number;
    seed?: number;
}
export interface VideoParams extends CommonParams {
    prompt?: string;
    input_image?: string;
    last_image?: string;
    negative_prompt?: string;
    output_format?: "mp4" | "webm";
    quality?: Quality;
    width?: number;
    height?: number;
    duration_seconds?: number;
    num_inference_steps?: number;
    guidance_scale?: number;
    seed?: number;
}
export interface SpeechParams extends CommonParams {
    text: string;
    output_format?: "wav" | "mp3" | "ogg";
    language_id?: string;
    target_voice_path?: string;
    max_new_tokens?: number;
    exaggeration?: number;
    temperature?: number;
    cfg_weight?: number;
    seed?: number;
    apply_watermark?: boolean;
}
export interface MeshParams extends CommonParams {
    input_image: string;
    output_format?: "glb" | "obj" | "stl" | "ply";
    mode?: "generate" | "paint" | "generate_and_paint";
    seed?: number;
    [field: string]: unknown;
}
export interface CutoutParams extends CommonParams {
    input_image: string;
    output_format?: "png" | "webp";
    mask_only?: boolean;
    background_color?: string;
    crop?: boolean;
}
export interface ParamsOf {
    image: ImageParams;
    video: VideoParams;
    speech: SpeechParams;
    "3d": MeshParams;
    "remove-background": CutoutParams;
}
export interface Accepted {
    job_id: string;
    status: JobStatus;
    modality: Modality;
    model: string;
    seed: number | null;
    status_url: string;
    events_url: string;
    created_at: string;
}
export interface Output {
    url: string;
    media_type: string;
    bytes: number;
    sha256: string;
    width: number | null;
    height: number | null;
    duration_seconds: number | null;
    name: string | null;
}
export interface JobFailure {
    code: string;
    message: string;
}
export interface Job {
    job_id: string;
    status: JobStatus;
    modality: Modality;
    model: string;
    /** 0 to 1. */
    progress: number;
    stage: string | null;
    queue_position: number | string | null;
    estimated_seconds: number | null;
    result_url: string | null;
    outputs: Output[];
    warnings: string[];
    error: JobFailure | null;
    processing_time_seconds: number | null;
    balance_remaining_usd: number | null;
    server_id: string | null;
    seed: number | null;
    attempt: number;
    created_at: string;
    started_at: string | null;
    finished_at: string | null;
}
/** An event of a job; the last one is of an ended job. */
export interface Progress {
    job_id: string;
    status: JobStatus;
    progress: number;
    stage: string | null;
    [field: string]: unknown;
}
export interface JobPage {
    jobs: Job[];
    next_cursor: string | null;
}
export interface Model {
    id: string;
    title: string;
    modality: Modality;
    available: boolean;
    default: boolean;
    capabilities: string[];
    languages: string[];
    price_usd: number;
    estimated_seconds: number;
    [field: string]: unknown;
}
export interface Voice {
    voice_id: string;
    name: string;
    kind: "stored" | "builtin";
    model: string | null;
    languages: string[];
    preview_url: string | null;
    created_at: string | null;
}
export interface StoredInput {
    input_id: string;
    [field: string]: unknown;
}
