/** What the native routes take and answer; `scripts/sdk_models.py` writes it from the API. */

export type Modality = "image" | "video" | "remove-background" | "speech" | "3d" | "branding" | "join" | "vectorize" | "text" | "upscale" | "sound" | "music" | "transcript" | "avatar" | "embedding" | "segment" | "interpolate";

export type Reason = "inputs" | "backoff" | "server_offline" | "server_cordoned" | "store_away" | "server_busy" | "no_server_for_model" | "tenant_paused" | "tenant_running_cap" | "queue";

export type JobStatus = "pending" | "queued" | "processing" | "completed" | "failed" | "cancelled";

/** Fields of every submit. */
export interface CommonParams {
  /** A model of GET /models/v1. */
  model?: string;
  /** Receives one signed webhook when the job ends. */
  callback_url?: string;
  /** Run on this server. */
  server_id?: string;
  /** `strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`. */
  pin?: "prefer" | "strict";
  /** With `pin: prefer`, seconds after which a job that still waits may run on any server. */
  prefer_seconds?: number;
  /** 0 lowest, 9 highest. */
  priority?: number;
  /** Seconds after which an unfinished job fails. */
  deadline_seconds?: number;
  /** Seconds after which it fails unless it has started. */
  start_within_seconds?: number;
  /** Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/- */
  labels?: Record<string, string>;
}

/** How far a picture is extended beyond each of its sides; the model paints what is new. */
export interface Padding {
  /** Pixels of `input_image`. */
  left?: number;
  /** Pixels of `input_image`. */
  top?: number;
  /** Pixels of `input_image`. */
  right?: number;
  /** Pixels of `input_image`. */
  bottom?: number;
}

/** Something that a request refers to by its name: a person, a product, a place. */
export interface Element {
  /** `@name` in a prompt is it. */
  name: string;
  /** What it is, in plain words. */
  description: string;
  /** 2 to 4 pictures of it: JPEG or PNG of at least 300x300 pixels, at most 10 MB. */
  element_input_urls?: string[];
  /** Or one film of it: MP4 or MOV, at most 50 MB; its middle frame is used. */
  element_input_video_urls?: string[];
}

/** A LoRA that a request puts on the model, `weight` times as strong as it was made. */
export interface LoraChoice {
  /** A name of the model's `loras`, or an `input_id`, `media_id` or URL of a file of your own. */
  lora: string;
  /** How strong it is; 1 is as it was made. */
  weight?: number;
}

/** How a word is spoken. */
export interface Pronunciation {
  /** A whole word or several, in any case of letters. */
  word: string;
  /** What is spoken instead, spelled as it sounds. */
  say?: string;
  /** What is spoken instead, in the IPA; for models with the capability `phonemes`. */
  phonemes?: string;
}

/** One turn of a chat. */
export interface ChatMessage {
  /** Whose words they are; `system` says how to answer. */
  role: "assistant" | "system" | "user";
  /** What they say. */
  content: string;
  /** The pictures before these words, by their places in the request's `images`, from 0. */
  images?: number[];
}

/** One shot of a storyboard. Its first frame is `image`, or drawn from its prompt, or where the shot before ends. */
export interface Shot {
  /** What the shot shows, and how it moves. */
  prompt: string;
  /** Seconds of the shot; by default what the model makes. */
  duration_seconds?: number;
  /** The first frame of the shot. */
  image?: string;
  /** Begin with the last frame of the shot before. */
  continues?: boolean;
}

/** An image from a prompt; only `prompt` is required. */
export interface ImageParams extends CommonParams {
  /** File format of the image. */
  output_format?: "jpeg" | "png" | "webp";
  /** What to make, in plain words. */
  prompt: string;
  /** A preset of the model; fields that you set win over it. */
  quality?: "fast" | "pro" | "standard" | "ultra";
  /** Images to make. */
  num_images?: number;
  /** The image to start from. Read as `image_path` and `image_url`, too. */
  input_image?: string;
  /** Of the size of `input_image`: only what is transparent in it is repainted. */
  mask?: string;
  /** Extends `input_image`, and paints what is new. The image is as large as all of it, at most `width` x `height`. */
  padding?: Padding;
  /** How much of `input_image` may change. */
  strength?: number;
  /** Images that guide the model. */
  reference_images?: string[];
  /** What `@name` in the prompt means, with pictures that the model follows. */
  elements?: Element[];
  /** The image is made along its edges, or as `control_kind` says. */
  control_image?: string;
  /** What of `control_image` the image follows. */
  control_kind?: "canny" | "depth" | "pose";
  /** `control_image` shows edges, depths or poses itself, on black. */
  control_as_given?: boolean;
  /** How closely `control_image` is followed. */
  control_scale?: number;
  /** LoRAs to put on the model, together. */
  loras?: LoraChoice[];
  /** What to avoid. */
  negative_prompt?: string;
  /** Pixels. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** The longest side, in the shape of `width` and `height`; 2K and 4K of some models. */
  resolution?: "1K" | "2K" | "4K";
  /** Denoising steps. */
  num_inference_steps?: number;
  /** Adherence to the prompt. */
  guidance_scale?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
  /** A text model writes a better prompt first; the output's `revised_prompt` is what was made. */
  enhance_prompt?: boolean;
  /** A logo to stamp on the image at half opacity. */
  logo_url?: string;
  /** The corner of the logo. */
  logo_position?: "bottom_left" | "bottom_right" | "top_left" | "top_right";
  /** Brand colors, as hex codes. */
  palette?: string[];
  /** Take the palette from `subject_image`: its colors, their opposites, or a third turn away. */
  palette_mode?: "complementary" | "radical" | "similar";
  /** A picture whose subject is cut out and put over the image, which has its size then. */
  subject_image?: string;
  /** Defaults of POST /profiles/v1. */
  profile_id?: string;
}

/** A video from an image, or from the prompt alone without `input_image`, where the model supports it. */
export interface VideoParams extends CommonParams {
  /** mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4. */
  output_format?: "jpeg" | "mp4" | "png" | "webm" | "webp";
  /** The first frame; not needed by a text-to-video model. Read as `image_path` and `image_url`, too. */
  input_image?: string;
  /** The last frame, for a model that supports one. */
  last_image?: string;
  /** What is to be seen in the video, for a model that can. */
  reference_images?: string[];
  /** A film whose motion `input_image` follows, for a model that can. */
  motion_video?: string;
  /** `motion_video` shows drawn poses, depth or outlines itself, and no person. */
  motion_as_given?: boolean;
  /** LoRAs to put on the model, together. */
  loras?: LoraChoice[];
  /** What to make, in plain words. */
  prompt?: string;
  /** A text model writes a better prompt first; the output's `revised_prompt` is what was made. */
  enhance_prompt?: boolean;
  /** What to avoid. */
  negative_prompt?: string;
  /** A preset of the model; fields that you set win over it. */
  quality?: "fast" | "pro" | "standard" | "ultra";
  /** Pixels, a multiple of 32. */
  width?: number;
  /** Pixels, a multiple of 32. */
  height?: number;
  /** Seconds of video. */
  duration_seconds?: number;
  /** A video with sound, of its own or made apart by a model of sounds. */
  sound?: boolean;
  /** Denoising steps. */
  num_inference_steps?: number;
  /** Adherence to the prompt. */
  guidance_scale?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** The foreground of an image or a film on transparency; `input_image` or `input_video` is required. */
export interface CutoutParams extends CommonParams {
  /** png or webp; a film is webm (VP9), mov (ProRes 4444) or, opaque, mp4. Others warn. */
  output_format?: "jpeg" | "mov" | "mp4" | "png" | "webm" | "webp";
  /** The image whose background is removed. Read as `image_path` and `image_url`, too. */
  input_image?: string;
  /** Or the film, as MP4, WebM or MOV, for a model that takes films. */
  input_video?: string;
  /** Return the matte itself. */
  mask_only?: boolean;
  /** Put the foreground on this color. */
  background_color?: string;
  /** Crop to the foreground. */
  crop?: boolean;
  /** The thing lets what is behind it through, as hair, fur, glass and veils do. */
  semitransparency?: boolean;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
  /** With `background_color`, return the cut-out itself as a second output, a PNG. */
  keep_cutout?: boolean;
  /** With `background_color`, a soft shadow below the foreground. */
  drop_shadow?: boolean;
  /** 0 none, 1 black. */
  shadow_opacity?: number;
  /** Radius, as a share of the width. */
  shadow_blur?: number;
  /** Down, as a share of the height. */
  shadow_dy?: number;
  /** Right, as a share of the width. */
  shadow_dx?: number;
}

/** Speech from text; `text` is required. 25 tokens are a second of audio. */
export interface SpeechParams extends CommonParams {
  /** wav, mp3, ogg (Opus), aac, flac or pcm (16 bit, 24 kHz); image formats give wav and a warning. */
  output_format?: "aac" | "flac" | "jpeg" | "mp3" | "ogg" | "pcm" | "png" | "wav" | "webp";
  /** The text to speak. */
  text: string;
  /** Language code, e.g. en or pt-BR. */
  language_id?: string;
  /** A reference voice: a URL, a `data:` URL, an `input_id`, or a `voice_id` of /voices/v1. */
  target_voice_path?: string;
  /** A voice of the model's own, of `/voices/v1`. */
  voice?: string;
  /** Upper bound of the audio. */
  max_new_tokens?: number;
  /** 0 neutral, 1 most expressive. */
  exaggeration?: number;
  /** How freely the model chooses. */
  temperature?: number;
  /** Adherence to text and voice; 0 paces calmly. */
  cfg_weight?: number;
  /** Words that are pronounced in another way, as names and abbreviations are. */
  replacements?: Pronunciation[];
  /** How fast it is spoken; the pitch stays. */
  speed?: number;
  /** How loud it is, in LUFS, with true peaks below -1 dB; null: as it is made. */
  loudness?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
  /** Send the sound while it is made: `/jobs/v1/{job_id}/sound`. It is spoken in shorter parts. */
  stream?: boolean;
  /** Add an inaudible mark that identifies generated audio. */
  apply_watermark?: boolean;
}

/** A mesh from an image; `input_image` is required. */
export interface MeshParams extends CommonParams {
  /** glb, obj, stl or ply; image formats are accepted with a warning and give glb. */
  output_format?: "glb" | "jpeg" | "obj" | "ply" | "png" | "stl" | "webp";
  /** The image of the object. Read as `image_path` and `image_url`, too. */
  input_image: string;
  /** The mesh; the mesh with the image as its texture (of at most 30000 triangles); or both, the painted one first. */
  mode?: "generate" | "generate_and_paint" | "paint";
  /** Triangles of the mesh, at most. */
  max_faces?: number;
  /** Name of the mesh's file. */
  mesh_save_name?: string;
  /** Name of the painted mesh's file, with mode paint. */
  painted_save_name?: string;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
  /** Unload the model after the job. */
  auto_unload?: boolean;
}

/** A picture with a logo or a palette; `input_image` is required, and `logo_url` or `palette`. It needs no GPU. */
export interface BrandingParams extends CommonParams {
  /** File format of the picture. */
  output_format?: "jpeg" | "png" | "webp";
  /** The picture. Read as `image_path` and `image_url`, too. */
  input_image: string;
  /** A logo to stamp on the picture at half opacity. */
  logo_url?: string;
  /** The corner of the logo. */
  logo_position?: "bottom_left" | "bottom_right" | "top_left" | "top_right";
  /** Brand colors, as hex codes. */
  palette?: string[];
}

/** Films one after the other as one film; `films` is required. It needs no GPU. */
export interface JoinParams extends CommonParams {
  /** mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4. */
  output_format?: "jpeg" | "mp4" | "png" | "webm" | "webp";
  /** The films, in their order, as MP4, WebM or MOV. */
  films: string[];
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** A picture as shapes in an SVG; `input_image` is required. It needs no GPU. */
export interface VectorizeParams extends CommonParams {
  /** svg; the formats of pixels are accepted with a warning and give svg. */
  output_format?: "jpeg" | "png" | "svg" | "webp";
  /** The picture that is traced. Read as `image_path` and `image_url`, too. */
  input_image: string;
  /** Outlines of curves, of straight lines, or along the edges of the pixels. */
  mode?: "pixel" | "polygon" | "spline";
  /** `binary`: what is darker than middle gray in black, and nothing else. */
  color_mode?: "binary" | "color";
  /** So many colors at most; without it, as many as `detail` distinguishes. */
  colors?: number;
  /** How finely colors and outlines are followed; without it a busy picture is drawn coarser. */
  detail?: "high" | "low" | "medium";
  /** Patches of fewer pixels than a square of this side are left out. */
  filter_speckle?: number;
  /** Turns of fewer degrees are rounded, with mode spline. */
  corner_threshold?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** A text by a language model; one of `prompt`, `messages` and `template` is required. */
export interface TextParams extends CommonParams {
  /** md asks the model for Markdown; image formats are accepted with a warning and give txt. */
  output_format?: "jpeg" | "md" | "png" | "txt" | "webp";
  /** What to write, in plain words. */
  prompt?: string;
  /** A chat so far, instead of `prompt`; its last message is the user's. */
  messages?: ChatMessage[];
  /** A prompt of the service by its name, instead of `prompt`. */
  template?: string;
  /** Pictures to be seen, by a model that can. */
  images?: string[];
  /** A film, as MP4, WebM or MOV; a model that can sees 4 pictures of it. */
  input_video?: string;
  /** What stands in the places of the template. */
  variables?: Record<string, string>;
  /** Upper bound of the text; a token is about four characters. */
  max_tokens?: number;
  /** How freely the model chooses; 0 always takes the likeliest token. */
  temperature?: number;
  /** It chooses among the likeliest tokens of this share together. */
  top_p?: number;
  /** Where the text ends; what is listed here is not in it. */
  stop?: string[];
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
}

/** A picture or a film twice or four times as large; `input_image` or `input_video` is required. */
export interface UpscaleParams extends CommonParams {
  /** webp, png or jpeg of a picture; mp4 (H.264, also for webp) or webm (VP9) of a film. */
  output_format?: "jpeg" | "mp4" | "png" | "webm" | "webp";
  /** The picture that is enlarged. Read as `image_path` and `image_url`, too. */
  input_image?: string;
  /** Or the film, as MP4, WebM or MOV, for a model that takes films. */
  input_video?: string;
  /** How many times as wide and high: 2 or 4. */
  scale?: number;
  /** A network, which draws detail that was probably there, or a filter, which adds none. */
  method?: "lanczos" | "realesrgan";
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** A sound effect from words; `prompt` is required. */
export interface SoundParams extends CommonParams {
  /** wav, mp3, ogg (Opus), aac or flac; image formats give wav and a warning. */
  output_format?: "aac" | "flac" | "jpeg" | "mp3" | "ogg" | "png" | "wav" | "webp";
  /** What is heard, in plain words. */
  prompt: string;
  /** What is not to be heard. */
  negative_prompt?: string;
  /** Seconds of sound. */
  duration_seconds?: number;
  /** A sound whose end leads into its beginning without a seam. */
  loop?: boolean;
  /** Denoising steps. */
  num_inference_steps?: number;
  /** Adherence to the prompt. */
  guidance_scale?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
}

/** Music from words; `prompt` is required. What is left out the model chooses. */
export interface MusicParams extends CommonParams {
  /** wav, mp3, ogg (Opus), aac or flac; image formats give wav and a warning. */
  output_format?: "aac" | "flac" | "jpeg" | "mp3" | "ogg" | "png" | "wav" | "webp";
  /** Style, mood and instruments, in plain words. */
  prompt: string;
  /** What is sung, with parts such as [verse] and [chorus], for a model that sings. */
  lyrics?: string;
  /** The language of `lyrics`, e.g. en or pt. */
  language_id?: string;
  /** Without a voice; `lyrics` exclude it. */
  instrumental?: boolean;
  /** Seconds of music. */
  duration_seconds?: number;
  /** Quarter notes a minute. */
  bpm?: number;
  /** For example C major or F# minor. */
  key?: string;
  /** The meter. */
  time_signature?: "2/4" | "3/4" | "4/4" | "6/8";
  /** Denoising steps. */
  num_inference_steps?: number;
  /** Adherence to the prompt. */
  guidance_scale?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
}

/** What is said in a recording, with times; `input_audio` is required. */
export interface TranscriptParams extends CommonParams {
  /** json has all times; srt and vtt are subtitles. Image formats give json and a warning. */
  output_format?: "jpeg" | "json" | "png" | "srt" | "txt" | "vtt" | "webp";
  /** The recording, or a film of which the sound is heard; of at most an hour. */
  input_audio: string;
  /** Language code, e.g. en or pt; without one it is found. */
  language_id?: string;
  /** Names and words that are spelled as here; its last 200 tokens or so count. */
  prompt?: string;
  /** What has times in a json file: sentences always, and each word if asked for. */
  timestamp_granularities?: ("segment" | "word")[];
  /** How freely the model chooses; 0 always takes the likeliest token. */
  temperature?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
}

/** A film of a picture whose face says a recording; `input_image` and `input_audio` are required. */
export interface AvatarParams extends CommonParams {
  /** mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4. */
  output_format?: "jpeg" | "mp4" | "png" | "webm" | "webp";
  /** The picture with the face. Read as `image_path` and `image_url`, too. */
  input_image: string;
  /** What it says: a recording of a voice of up to a minute. */
  input_audio: string;
  /** The middle of the face, from the left of the picture. */
  face_x?: number;
  /** The middle of the face, from the top of the picture. */
  face_y?: number;
  /** The height of the face, from brow to chin, of the picture's height. */
  face_size?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** Vectors of texts or of a picture, by which they are compared; `texts` or `input_image` is required. */
export interface EmbeddingParams extends CommonParams {
  /** json; image formats are accepted with a warning and give json. */
  output_format?: "jpeg" | "json" | "png" | "webp";
  /** The texts, each of which gets a vector. */
  texts?: string[];
  /** Or one picture, for a model that sees. Read as `image_path` and `image_url`, too. */
  input_image?: string;
}

/** The parts of a picture, each with a label, a score, a box and its pixels; `input_image` is required. */
export interface SegmentParams extends CommonParams {
  /** png, whose pixels are numbers of segments; the other formats give it with a warning. */
  output_format?: "jpeg" | "png" | "webp";
  /** The picture whose parts are found. Read as `image_path` and `image_url`, too. */
  input_image: string;
  /** Labels; segments with others are left out. Empty: all are kept. */
  classes?: string[];
  /** Segments with a lower score are left out; null is the model's own bound. */
  threshold?: number;
}

/** A film with more frames a second; `input_video` is required. */
export interface InterpolateParams extends CommonParams {
  /** mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4. */
  output_format?: "jpeg" | "mp4" | "png" | "webm" | "webp";
  /** The film, as MP4, WebM or MOV. */
  input_video: string;
  /** How many times as many frames a second: 2, 3 or 4. */
  factor?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** Shots that become one film. `model` makes the shots, `image_model` their first frames; each shot is a job. */
export interface StoryboardParams extends CommonParams {
  /** mp4 (H.264) or webm (VP9). */
  output_format?: "mp4" | "webm";
  /** The shots, in their order. */
  shots: Shot[];
  /** What all shots have in common; it stands before their prompts. */
  prompt?: string;
  /** The first frame; with `elements` a picture that the first frames follow. */
  input_image?: string;
  /** What `@name` in the prompt means, with pictures that the model follows. */
  elements?: Element[];
  /** A model of images for the first frames. */
  image_model?: string;
  /** What to avoid. */
  negative_prompt?: string;
  /** A preset of the model. */
  quality?: "fast" | "pro" | "standard" | "ultra";
  /** Pixels, a multiple of 32. */
  width?: number;
  /** Pixels, a multiple of 32. */
  height?: number;
  /** -1 draws a fresh seed; any other value repeats itself. */
  seed?: number;
  /** A visible `Made with AI` at the bottom left; `auto`: where the operator wants it. */
  watermark?: "always" | "auto" | "never";
}

/** The fields of a submit, by modality. */
export interface ParamsOf {
  "image": ImageParams;
  "video": VideoParams;
  "remove-background": CutoutParams;
  "speech": SpeechParams;
  "3d": MeshParams;
  "branding": BrandingParams;
  "join": JoinParams;
  "vectorize": VectorizeParams;
  "text": TextParams;
  "upscale": UpscaleParams;
  "sound": SoundParams;
  "music": MusicParams;
  "transcript": TranscriptParams;
  "avatar": AvatarParams;
  "embedding": EmbeddingParams;
  "segment": SegmentParams;
  "interpolate": InterpolateParams;
}

/** The reason why a job waits: `code` is one of `Reason`, `message` a sentence. */
export interface Waiting {
  code: Reason;
  message: string;
}

/** An accepted job. Poll `status_url`, or follow `events_url`; both are paths, as callers reach them. */
export interface Accepted {
  job_id: string;
  status: JobStatus;
  modality: string;
  model: string;
  seed: number | null;
  status_url: string;
  events_url: string;
  created_at: string;
  waiting_for: Waiting | null;
}

/** A small copy of an output: a stable link and what is behind it; sides are in pixels. */
export interface Preview {
  name: string;
  url: string;
  media_type: string;
  bytes: number;
  width: number | null;
  height: number | null;
}

/** One output: a stable link and what is behind it; `name` is the file name that the caller chose. */
export interface Output {
  url: string;
  media_type: string;
  bytes: number;
  sha256: string;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
  name: string | null;
  thumbnail_url: string | null;
  previews: Preview[];
  palette_distance: number | null;
  palette_distance_before: number | null;
  text: string | null;
  language: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  finish_reason: "length" | "stop" | null;
  method: string | null;
  revised_prompt: string | null;
}

/** Why a job failed: a stable code and a sentence. */
export interface JobFailure {
  code: string;
  message: string;
}

/** Who has a job or made it, and why. */
export interface JobBackend {
  name: string;
  kind: string;
  reason: string;
}

/** A job as its owner sees it. `progress` is 0 to 1, times are UTC. */
export interface Job {
  job_id: string;
  status: JobStatus;
  modality: string;
  model: string;
  progress: number;
  stage: string | null;
  queue_position: number | string | null;
  waiting_for: Waiting | null;
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
  outputs_removed_at: string | null;
  redrive_of: string | null;
  redriven_as: string | null;
  labels: Record<string, string>;
  price_usd: number | null;
  cost_usd: number;
  credits: number;
  gpu_seconds: number;
  load_seconds: number;
  backend: JobBackend | null;
}

/** A job of a list: its status answer, and what it was asked for in a line. */
export interface ListedJob extends Job {
  title: string | null;
}

/** Jobs, newest first; `next_cursor` is null on the last page. */
export interface JobPage {
  jobs: ListedJob[];
  next_cursor: string | null;
}

/** What a job waits for, in the words of an API that may be newer than the client. */
export interface WaitReason {
  code: string;
  message: string;
}

/** The fields that a client reads from any event of a job's stream. */
export interface Progress {
  status: string;
  progress: number;
  stage: string | null;
  queue_position: number | string | null;
  waiting_for: WaitReason | null;
}

/** A file that came with the request and is stored. */
export interface StoredInput {
  input_id: string;
  uploaded: boolean;
  media_type: string;
  bytes: number;
  max_bytes: number;
}

/** Seconds within which half of such jobs are done, and 95 % of them. */
export interface SecondsRange {
  p50_seconds: number;
  p95_seconds: number;
}

/** What a job with these fields would take and cost now; nothing was submitted. */
export interface Estimate {
  modality: string;
  model: string;
  wait: SecondsRange | null;
  load: SecondsRange;
  run: SecondsRange;
  total: SecondsRange | null;
  basis: string;
  confidence: string;
  sample_size: number;
  jobs_ahead: number;
  waiting_for: Waiting | null;
  model_loaded: boolean;
  server_id: string | null;
  device: string | null;
  price_usd: number;
  credits: number;
  balance_remaining_usd: number | null;
}

/** Accepted jobs, in the order of the request. */
export interface AcceptedJobs {
  jobs: Accepted[];
}

/** Whether jobs of the tenant are started: `paused_at` is since when they are not, null while they are. */
export interface QueueState {
  paused_at: string | null;
}

/** How an image or a film looks after `step` of `of` steps: a sketch, and not a small copy of what it will be. */
export interface StepPreview {
  step: number;
  of: number;
  image: string;
  text: string | null;
}

/** A file that a job was computed from: the clean copy of what its request names. */
export interface ManifestInput {
  name: string;
  media_type: string;
  bytes: number;
  sha256: string;
}

/** A file that a job has made; of a text with the tokens that the model has read and written. */
export interface ManifestOutput {
  media_type: string;
  bytes: number;
  sha256: string;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
  input_tokens: number | null;
  output_tokens: number | null;
}

/** The files of a model or of a LoRA as `weights.lock` knows them: where they are from, and the sha256 of each. */
export interface BundleWeights {
  bundle: string;
  repo: string | null;
  revision: string | null;
  url: string | null;
  files: Record<string, string>;
}

/** The job that this one makes again, and whether the files of both are the same, byte for byte. */
export interface Reproduced {
  job_id: string;
  identical: boolean | null;
}

/** What a completed job was made of, and with. */
export interface Manifest {
  version: number;
  job_id: string;
  tenant_id: string;
  modality: string;
  model: string;
  revision: string | null;
  seed: number | null;
  params: Record<string, unknown> | null;
  revised_prompt: string | null;
  inputs: ManifestInput[];
  outputs: ManifestOutput[];
  warnings: string[];
  environment_sha256: string | null;
  weights: BundleWeights[];
  versions: Record<string, string>;
  device: string | null;
  backend: JobBackend | null;
  server_id: string | null;
  attempt: number;
  timings: Record<string, number>;
  gpu_seconds: number;
  load_seconds: number;
  jobs_in_run: number;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  reproduces: Reproduced | null;
}

/** A step: its name, the steps whose outputs it still waits for, and its job; null once that was deleted. */
export interface ChainStepAnswer {
  name: string;
  waits_for: string[];
  job: Job | null;
}

/** A chain as its owner sees it. */
export interface Chain {
  chain_id: string;
  status: "cancelled" | "completed" | "failed" | "processing" | "queued";
  progress: number;
  steps: ChainStepAnswer[];
  failed_step: string | null;
  error: JobFailure | null;
  result_url: string | null;
  outputs: Output[];
  price_usd: number;
  cost_usd: number;
  created_at: string;
  finished_at: string | null;
  warnings: string[];
}

/** Chains, newest first; `next_cursor` is null on the last page. */
export interface ChainPage {
  chains: Chain[];
  next_cursor: string | null;
}

/** A step of a chain, and what its job would take and cost by itself. */
export interface StepEstimate {
  name: string;
  estimate: Estimate;
}

/** What a chain would take and cost now; nothing was submitted. */
export interface ChainEstimate {
  steps: StepEstimate[];
  total: SecondsRange | null;
  price_usd: number;
  credits: number;
  balance_remaining_usd: number | null;
  warnings: string[];
}

/** A key as its owner sees it. `valid` until it is revoked or expires; `last_used_at` is exact to a minute. */
export interface Key {
  key_id: string;
  name: string;
  tenant: string;
  scopes: string[];
  priority_ceiling: number;
  valid: boolean;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  budget_usd: number | null;
  spent_usd: number;
  reserved_usd: number;
}

/** Keys, newest first, with those that were revoked or have expired; `next_cursor` is null on the last page. */
export interface KeyPage {
  keys: Key[];
  next_cursor: string | null;
}

/** A new key. `key` is what requests send; it is not stored and cannot be shown again. */
export interface KeyWithSecret {
  key_id: string;
  name: string;
  tenant: string;
  scopes: string[];
  priority_ceiling: number;
  valid: boolean;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  budget_usd: number | null;
  spent_usd: number;
  reserved_usd: number;
  key: string;
}

/** The key of the request, its tenant, and what both may do and spend. */
export interface Me {
  key_id: string;
  key_name: string;
  tenant_id: string;
  tenant: string;
  scopes: string[];
  granted: string[];
  priority_ceiling: number;
  expires_at: string | null;
  budget_usd: number | null;
  spent_usd: number;
  reserved_usd: number;
  key_budget_usd: number | null;
  key_spent_usd: number;
  key_reserved_usd: number;
  balance_remaining_usd: number | null;
  max_unfinished_jobs: number;
  max_running_jobs: number | null;
  max_streams: number;
  paused_at: string | null;
  local_only: boolean;
  requests_per_second: number | null;
  public_url: string;
  version: string;
}

/** A voice. */
export interface Voice {
  voice_id: string;
  name: string;
  kind: string;
  model: string | null;
  voice: string | null;
  languages: string[];
  media_type: string | null;
  bytes: number | null;
  preview_url: string | null;
  created_at: string | null;
}

/** What a model accepts of the films that it is given; without `types` all that are read. */
export interface ModelFilms {
  types: string[];
  max_bytes: number;
  max_seconds: number;
}

/** The limits of a model. Sides are in pixels; another size than a `native_size`, if there are any, is resized. */
export interface ModelLimits {
  max_prompt_chars: number;
  min_side: number;
  max_side: number;
  side_multiple: number | null;
  native_sizes: [number, number][];
  max_references: number;
  max_seconds: number;
  min_voice_seconds: number;
  min_seconds: number;
  durations: number[];
  input_types: string[];
  max_input_bytes: number | null;
  resolutions: string[];
  films: ModelFilms;
  max_shots: number;
  max_lyrics_chars: number;
  max_scale: number | null;
  network_pixels: number | null;
  max_audio_seconds: number | null;
  max_output_pixels: number | null;
  max_output_side: number | null;
  max_output_bytes: number | null;
  max_paths: number | null;
  max_texts: number | null;
}

/** The model's values of fields that a request leaves out, and its frames per second; null is the pipeline's. */
export interface ModelDefaults {
  num_inference_steps: number | null;
  guidance_scale: number | null;
  strength: number | null;
  fps: number | null;
}

/** The settings of a value of `quality`; null is the model's default. The size is that of a request without one. */
export interface ModelPreset {
  num_inference_steps: number | null;
  guidance_scale: number | null;
  width: number | null;
  height: number | null;
}

/** The terms of the weights. */
export interface ModelLicense {
  name: string;
  url: string;
}

/** Further parts of a job's price, in US dollars; 0 for what does not count. */
export interface ModelRates {
  per_second: number;
  sound_per_second: number;
  per_megapixel_step: number;
  per_gpu_second: number;
  max_gpu_seconds: number | null;
}

/** What becomes of a field that the model does not use, and of a value beyond its limits. */
export interface ModelUnsupported {
  prompt: string;
  duration: string;
  size: string;
  negative_prompt: string;
  quality: string;
  strength: string;
  sound: string;
  lyrics: string;
}

/** A model. */
export interface Model {
  id: string;
  title: string;
  modality: string;
  tier: string;
  available: boolean;
  default: boolean;
  capabilities: string[];
  languages: string[];
  limits: ModelLimits;
  defaults: ModelDefaults;
  quality: Record<string, ModelPreset>;
  price_usd: number;
  estimated_seconds: number;
  licence: ModelLicense;
  disk_bytes: number | null;
  disk_bytes_at_least: number | null;
  weights_bytes: Record<string, number>;
  vram_bytes: number;
  smallest_card_gb: number | null;
  estimated_on: string | null;
  is_measured: boolean;
  rates: ModelRates;
  inputs: Record<string, [number, number]>;
  unsupported: ModelUnsupported;
  vocabulary: string[];
  templates: string[];
  loras: Record<string, ModelLicense>;
  takes_lora_files: boolean;
}

/** A product of the tenant's shop, or a variant, that an item belongs to, and its place there. */
export interface ProductLink {
  product_id: string | null;
  variant_id: string | null;
  position: number;
}

/** Where the file of a new item is to be sent: the body of a `method` request to `url`, before `expires_at`. */
export interface UploadLink {
  url: string;
  method: "PUT";
  headers: Record<string, string>;
  expires_at: string;
  max_bytes: number;
}

/** An item of the media library. Its `media_id` can stand in every field that takes a URL of media. */
export interface Media {
  media_id: string;
  kind: string | null;
  status: string;
  problem: JobFailure | null;
  filename: string;
  description: string | null;
  media_type: string | null;
  bytes: number | null;
  sha256: string | null;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
  url: string | null;
  thumbnail_url: string | null;
  optimized_url: string | null;
  previews: Preview[];
  public_url: string | null;
  job_id: string | null;
  output_number: number | null;
  prompt: string | null;
  model: string | null;
  seed: number | null;
  transcript: unknown;
  tags: string[];
  labels: Record<string, string>;
  links: ProductLink[];
  source: string;
  temporary: boolean;
  created_at: string;
  updated_at: string;
  expires_at: string | null;
  archived_at: string | null;
  upload: UploadLink | null;
}

/** Items of the media library; `next_cursor` is null on the last page. */
export interface MediaPage {
  media: Media[];
  next_cursor: string | null;
}

/** An item that a search has found; `similarity` is at most 1, and of words in the item above 0. */
export interface FoundMedia {
  similarity: number;
  media: Media;
}

/** What a search has found, best first; `next_cursor` is null on the last page. */
export interface MediaMatches {
  results: FoundMedia[];
  next_cursor: string | null;
}

/** The items that were linked, in the order of the request. */
export interface LinkedMedia {
  media_ids: string[];
}

/** The body of a webhook about a job, which is sent to its `callback_url` and to endpoints. */
export interface WebhookEvent {
  type: string;
  timestamp: string;
  data: Job;
}

/** The data of a test event. */
export interface WebhookTestData {
  webhook_id: string;
}

/** The body of the test event of an endpoint. */
export interface WebhookTest {
  type: string;
  timestamp: string;
  data: WebhookTestData;
}
