/**
 * The fields of a form, of the schema of a modality's parameters in the OpenAPI document. A field that is not known here
 * gets a plain widget by its type, under "More": a new parameter, or a new modality, needs no change.
 */
import { words } from "../format.js";

const SUBMIT = /^\/generate\/([a-z0-9-]+)\/v1$/;
const TITLES = { image: "Image", video: "Video", "remove-background": "Cut-out", speech: "Speech", "3d": "3D", vectorize: "SVG", text: "Text", upscale: "Upscale", sound: "Sound", music: "Music", transcript: "Transcript", avatar: "Avatar", embedding: "Vectors", segment: "Segments", interpolate: "More frames" };
/** Texts of at least so many characters are media: they may be whole files as `data:` URLs. */
const MEDIA_CHARS = 1_000_000;
const FIRST = ["prompt", "text", "texts", "input_image", "input_video", "mask", "padding", "control_image", "reference_images", "last_image", "motion_video", "input_audio", "target_voice_path", "language_id", "quality", "size", "duration_seconds", "num_images", "seed"];
/** Fields of any job, which say where and when it runs. */
const OF_JOB = ["server_id", "pin", "prefer_seconds", "priority", "deadline_seconds", "start_within_seconds", "callback_url", "labels"];
const ELSEWHERE = ["modality", "model"];
/** What a model must be able to do for a field to be there. */
const NEEDS = {
  image: { input_image: ["image-to-image", "references"], mask: ["mask"], padding: ["mask"], control_image: ["control"], control_kind: ["control"], control_as_given: ["control"], control_scale: ["control"], strength: ["image-to-image"], reference_images: ["references"], elements: ["references"], negative_prompt: ["negative-prompt"] },
  video: { input_image: ["image-to-video"], last_image: ["first-last-frame"], reference_images: ["references"], motion_video: ["motion-control"], sound: ["sound"], negative_prompt: ["negative-prompt"] },
  speech: { target_voice_path: ["reference-voice"] },
  sound: { negative_prompt: ["negative-prompt"] },
  text: { images: ["vision"], input_video: ["films"] },
  upscale: { input_video: ["films"] },
  "remove-background": { input_video: ["films"] },
  embedding: { input_image: ["pictures"] },
  music: { lyrics: ["lyrics"] },
};
const LABELS = {
  num_images: "Images", num_inference_steps: "Steps", guidance_scale: "Guidance", output_format: "Format", input_image: "Image",
  reference_images: "References", input_audio: "Recording", target_voice_path: "Voice", language_id: "Language", duration_seconds: "Seconds", server_id: "Server",
  callback_url: "Webhook", logo_url: "Logo", cfg_weight: "Guidance", max_new_tokens: "Longest", profile_id: "Profile",
};

/** Every modality: its name, title, path, and the schema of its parameters. */
export function modalitiesOf(document) {
  return Object.entries(document.paths).flatMap(([path, operations]) => {
    const name = SUBMIT.exec(path)?.[1];
    const body = operations.post?.requestBody?.content?.["application/json"]?.schema;
    const reference = body?.$ref ?? body?.allOf?.[0]?.$ref;
    if (!name || !reference) return [];
    const named = (one) => (one.$ref ? document.components.schemas[one.$ref.split("/").pop()] : one);
    const found = named({ $ref: reference });
    const properties = Object.fromEntries(Object.entries(found.properties).map(([field, one]) => [field, one.anyOf ? { ...one, anyOf: one.anyOf.map(named) } : one]));
    return [{ name, title: TITLES[name] ?? words(name), path, schema: { ...found, properties }, summary: operations.post.summary }];
  });
}

/** The schema of a value that may be left out, and whether it may be null. */
function plain(schema) {
  const others = schema.anyOf?.filter((one) => one.type !== "null");
  return others ? { ...schema, ...others[0], anyOf: undefined, isOptional: true } : schema;
}

const isMedia = (schema) => schema.type === "string" && schema.maxLength >= MEDIA_CHARS;

/** The kind of file that a media field takes, by its name: `target_voice_path`, `motion_video`, `films`; others are pictures. */
export const mediaKind = (name) => (/voice|audio/.test(name) ? "audio" : /video|film/.test(name) ? "video" : "image");

/** Which widget a value has. */
export function widgetOf(schema) {
  if (isMedia(schema)) return "media";
  if (schema.type === "array" && isMedia(schema.items ?? {})) return "media-list";
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "switch";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "object") return schema.properties ? "numbers" : "labels";
  if (schema.type === "array" && schema.items?.type === "string") return schema.items.pattern?.startsWith("^#") ? "list" : "lines";
  if (schema.type === "array") return "json";
  if (schema.pattern?.startsWith("^#")) return "color";
  return schema.maxLength >= 1000 && schema.maxLength < MEDIA_CHARS ? "long-text" : "text";
}

/**
 * The fields of a modality for a model (null: any), in the order of the form. Each has a name, a label, a description, a
 * widget, a group (main, more, job) and limits.
 */
export function fieldsOf(modality, model) {
  const { properties, required = [] } = modality.schema;
  const hasSize = properties.width && properties.height;
  const fields = Object.entries(properties).flatMap(([name, raw]) => {
    if (ELSEWHERE.includes(name) || (hasSize && ["width", "height", "resolution"].includes(name))) return [];
    const needs = NEEDS[modality.name]?.[name];
    if (model && name === "loras" && !model.takes_lora_files && !Object.keys(model.loras ?? {}).length) return [];
    if (model && needs && !needs.some((one) => model.capabilities.includes(one))) return [];
    const schema = plain(raw);
    const widget = name === "callback_url" ? "text" : widgetOf(schema);
    const group = OF_JOB.includes(name) || name === "profile_id" ? "job" : FIRST.includes(name) || required.includes(name) ? "main" : "more";
    return [limited({ name, label: LABELS[name] ?? words(name), description: raw.description ?? "", widget, group, schema, isRequired: required.includes(name), default: raw.default ?? null }, model)];
  });
  if (hasSize) fields.push({ name: "size", label: "Size", description: "", widget: "size", group: "main", schema: { width: properties.width, height: properties.height }, sizes: sizesOf(model, properties), default: nativeSizes(model)[0] ?? null });
  const place = (field) => (FIRST.includes(field.name) ? FIRST.indexOf(field.name) : FIRST.length);
  return fields.sort((one, other) => place(one) - place(other));
}

/** A field with the limits of the model. */
function limited(field, model) {
  const limits = model?.limits;
  if (!limits) return field;
  if (["prompt", "text"].includes(field.name)) return { ...field, most: Math.min(field.schema.maxLength, field.name === "prompt" ? limits.max_prompt_chars : Infinity) };
  if (field.name === "reference_images") return { ...field, most: limits.max_references };
  if (field.name === "duration_seconds") {
    const schema = { ...field.schema, minimum: limits.min_seconds, maximum: limits.max_seconds };
    return limits.durations.length ? { ...field, widget: "choice", schema: { ...schema, enum: limits.durations } } : { ...field, schema };
  }
  if (field.name === "language_id" && model.languages.length) return { ...field, widget: "choice", schema: { ...field.schema, enum: model.languages } };
  if (field.name === "quality") {
    const names = Object.keys(model.quality);
    return names.length ? { ...field, schema: { ...field.schema, enum: field.schema.enum.filter((one) => names.includes(one) || one === field.default) } } : field;
  }
  return field;
}

const RATIOS = [["1:1", 1, 1], ["4:3", 4, 3], ["3:4", 3, 4], ["16:9", 16, 9], ["9:16", 9, 16]];

/** The sizes that a model makes by itself, where it has such; it resizes all others. */
const nativeSizes = (model) => (model?.limits?.native_sizes ?? []).map(([width, height]) => ({ width, height }));

/** The usual ratio that a size has, or nearly has. */
const ratioOf = ({ width, height }) => RATIOS.find(([, across, down]) => Math.abs((width * down) / (height * across) - 1) < 0.03)?.[0] ?? (width > height ? "wide" : "tall");

/** The model's own sizes, or else the usual ratios, as large as the model makes them. */
export function sizesOf(model, properties) {
  const native = nativeSizes(model);
  if (native.length) return native.map((size) => ({ ratio: ratioOf(size), ...size }));
  const limits = model?.limits ?? {};
  const multiple = Math.max(limits.side_multiple ?? 1, properties.width.multipleOf ?? 1, 8);
  const most = Math.min(limits.max_side ?? Infinity, properties.width.maximum, properties.height.maximum);
  const least = Math.max(limits.min_side ?? 0, properties.width.minimum);
  const side = Math.min(most, Math.max(properties.width.default, properties.height.default));
  const snap = (value) => Math.max(least, Math.round(value / multiple) * multiple);
  return RATIOS.map(([ratio, across, down]) => {
    const longest = Math.min(side, most);
    const scale = longest / Math.max(across, down);
    return { ratio, width: snap(across * scale), height: snap(down * scale) };
  });
}

/** The body of a request: what was given, without what is empty; the size is the model's own while none is chosen. */
export function bodyOf(values, fields) {
  const body = {};
  if (values.model) body.model = values.model;
  for (const field of fields) {
    const value = values[field.name];
    if (field.widget === "size") {
      const size = value ?? field.default;
      if (size) Object.assign(body, { width: size.width, height: size.height });
    } else if (field.widget === "media") {
      if (value?.id) body[field.name] = value.id;
    } else if (field.widget === "media-list") {
      const ids = (value ?? []).map((one) => one.id).filter(Boolean);
      if (ids.length) body[field.name] = ids;
    } else if (Array.isArray(value) || (value && typeof value === "object")) {
      if (Object.keys(value).length) body[field.name] = value;
    } else if (value !== undefined && value !== null && value !== "") {
      body[field.name] = value;
    }
  }
  return body;
}

/** Values of the form of a request that was sent; what is media is known by its id alone. */
export function valuesOf(params, fields) {
  const values = { model: params.model ?? "" };
  for (const field of fields) {
    const value = params[field.name];
    if (field.widget === "size") {
      if (params.width && params.height) values.size = { width: params.width, height: params.height };
    } else if (value === undefined || value === null || JSON.stringify(value) === JSON.stringify(field.default)) {
      continue;
    } else if (field.widget === "media") {
      values[field.name] = { id: value, name: value };
    } else if (field.widget === "media-list") {
      values[field.name] = value.map((id) => ({ id, name: id }));
    } else {
      values[field.name] = value;
    }
  }
  return values;
}

/** The media fields of a modality that take a kind of file: where a result of it can be used. */
export function usesOf(modalities, kind) {
  return modalities.flatMap((modality) =>
    fieldsOf(modality, null)
      .filter((field) => ["media", "media-list"].includes(field.widget) && mediaKind(field.name) === kind)
      .map((field) => ({ modality, field })),
  );
}
