/**
 * The fields of a form, of the schema of a modality's parameters in the OpenAPI document. A field that is not known here
 * gets a plain widget by its type, under "More": a new parameter, or a new modality, needs no change.
 */
import { words } from "../format.js";

const SUBMIT = /^\/generate\/([a-z0-9-]+)\/v1$/;
const TITLES = { image: "Image", video: "Video", "remove-background": "Cut-out", speech: "Speech", "3d": "3D", vectorize: "SVG", text: "Text", upscale: "Upscale", sound: "Sound", music: "Music", transcript: "Transcript", avatar: "Avatar", embedding: "Vectors", segment: "Segments", interpolate: "More frames" };
/** Texts of at least so many characters are media: they may be whole files as `data:` URLs. */
const MEDIA_CHARS = 1_000_000;
const FIRST = ["prompt", "text", "texts", "shots", "input_image", "input_video", "mask", "padding", "control_image", "reference_images", "elements", "last_image", "motion_video", "input_audio", "target_voice_path", "language_id", "quality", "size", "duration_seconds", "num_images", "seed"];
/** Fields of any job, which say where and when it runs. */
const OF_JOB = ["server_id", "pin", "prefer_seconds", "priority", "deadline_seconds", "start_within_seconds", "callback_url", "labels"];
const ELSEWHERE = ["modality", "model", "image_model"];
/** What a model must be able to do for a field to be there. */
const NEEDS = {
  image: { input_image: ["image-to-image", "references"], mask: ["mask"], padding: ["mask"], control_image: ["control"], control_kind: ["control"], control_as_given: ["control"], control_scale: ["control"], strength: ["image-to-image", "mask"], reference_images: ["references"], elements: ["references"], negative_prompt: ["negative-prompt"] },
  video: { input_image: ["image-to-video", "motion-control"], last_image: ["first-last-frame"], reference_images: ["references"], motion_video: ["motion-control"], negative_prompt: ["negative-prompt"] },
  speech: { target_voice_path: ["reference-voice"] },
  sound: { negative_prompt: ["negative-prompt"] },
  text: { images: ["vision"], input_video: ["films"] },
  upscale: { input_video: ["films"] },
  "remove-background": { input_video: ["films"] },
  embedding: { input_image: ["pictures"] },
  music: { lyrics: ["lyrics"] },
  storyboard: { input_image: ["image-to-video"], elements: ["image-to-video"], negative_prompt: ["negative-prompt"] },
  "storyboard.shots": { image: ["image-to-video"], continues: ["image-to-video"] },
};
const LABELS = {
  num_images: "Images", num_inference_steps: "Steps", guidance_scale: "Guidance", output_format: "Format", input_image: "Image",
  reference_images: "References", input_audio: "Recording", target_voice_path: "Voice", language_id: "Language", duration_seconds: "Seconds", server_id: "Server",
  callback_url: "Webhook", logo_url: "Logo", cfg_weight: "Guidance", max_new_tokens: "Longest", profile_id: "Profile",
  element_input_urls: "Pictures", element_input_video_urls: "Film",
};
/** Labels of one form alone, or of the rows of one of its fields. */
const OWN_LABELS = { storyboard: { prompt: "All shots", input_image: "First frame" }, "storyboard.shots": { image: "First frame" } };
/** Fields of a row that its first one has not, and those that another field of the row rules out. */
const NOT_FIRST = ["continues"];
const RULED_OUT = { image: "continues" };

/** A schema without references to others. */
function resolved(document, { $ref: reference, ...schema }) {
  if (reference) return resolved(document, { ...document.components.schemas[reference.split("/").pop()], ...schema });
  if (schema.anyOf) schema.anyOf = schema.anyOf.map((one) => resolved(document, one));
  if (schema.items) schema.items = resolved(document, schema.items);
  if (schema.properties) schema.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, one]) => [name, resolved(document, one)]));
  return schema;
}

/** What the form of a submit route is made of; null for a route without a body of fields. */
function formOf(document, path, name, rest = {}) {
  const { post } = document.paths[path];
  const body = post?.requestBody?.content?.["application/json"]?.schema;
  const reference = body?.$ref ?? body?.allOf?.[0]?.$ref;
  if (!reference) return null;
  const schema = resolved(document, { $ref: reference });
  return { name, title: TITLES[name] ?? words(name), path, schema, summary: post.summary, models: name, estimate: "/estimates/v1", isChain: false, ...rest };
}

/** Every modality: its name, title, path, and the schema of its parameters. */
export function modalitiesOf(document) {
  return Object.keys(document.paths).flatMap((path) => {
    const name = SUBMIT.exec(path)?.[1];
    return (name && formOf(document, path, name)) || [];
  });
}

/** Every form: those of the modalities, and those whose answer is a chain: storyboards, which `models` of videos make, and any chain. */
export function formsOf(document) {
  const storyboard = formOf(document, "/storyboards/v1", "storyboard", { models: "video", estimate: "/storyboards/v1/estimate", isChain: true });
  const chain = formOf(document, "/chains/v1", "chain", { models: null, estimate: null, isChain: true });
  return [...modalitiesOf(document), storyboard, chain];
}

/** The model that makes what names none; null while no server has one. */
export const defaultModel = (models) => models.find((one) => one.default && one.available) ?? models.find((one) => one.available) ?? null;

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
  if (schema.type === "array" && schema.items?.properties) return "rows";
  if (schema.type === "array" && schema.items?.type === "string") return schema.items.pattern?.startsWith("^#") ? "list" : "lines";
  if (schema.type === "array") return "json";
  if (schema.pattern?.startsWith("^#")) return "color";
  return schema.maxLength >= 1000 && schema.maxLength < MEDIA_CHARS ? "long-text" : "text";
}

/**
 * The fields of a modality for a model (null: any), in the order of the form. Each has a name, a label, a description, a
 * widget, a group (main, more, job) and limits; one of rows has the `fields` of a row.
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
    const label = OWN_LABELS[modality.name]?.[name] ?? LABELS[name] ?? words(name);
    const fields = widget === "rows" ? fieldsOf({ name: `${modality.name}.${name}`, schema: schema.items }, model) : [];
    return [limited({ name, label, description: raw.description ?? "", widget, group, schema, fields, isRequired: required.includes(name), default: raw.default ?? null }, model)];
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
  if (field.name === "shots") return { ...field, most: limits.max_shots };
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

/** A row of a list: an id that stays when rows move, and the values of its fields. */
export const newRow = (values = {}) => ({ id: crypto.getRandomValues(new Uint32Array(1))[0].toString(36), values });

/** Values with one that is given, or that a function makes of the one before. */
export const changed = (values, name, given) => ({ ...values, [name]: typeof given === "function" ? given(values[name]) : given });

/** Values of a form that was not touched: a list that needs a row has one. */
export const firstValues = (fields) => Object.fromEntries(fields.filter((field) => field.widget === "rows" && field.isRequired).map((field) => [field.name, [newRow(field.first?.([]))]]));

/** The fields that a row has at its place, from 0, with what is in it. */
export const fieldsOfRow = (field, values, place) => {
  if (field.rowFields) return field.rowFields(values);
  const isThere = (name) => place > 0 || !NOT_FIRST.includes(name);
  return field.fields.filter(({ name }) => isThere(name) && !(isThere(RULED_OUT[name]) && values[RULED_OUT[name]]));
};

/** Whether none is a value of a field other than what it is when left out: `null` is sent for it then. */
export const takesNone = (field) => Boolean(field.schema.isOptional) && field.default !== null;

/** The body of a request: what was given, without what is empty; the size is the model's own while none is chosen. */
export function bodyOf(values, fields) {
  const body = {};
  for (const name of ["model", "image_model"]) {
    if (values[name]) body[name] = values[name];
  }
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
    } else if (field.widget === "rows") {
      const rows = field.sent?.(value ?? []) ?? value ?? [];
      if (rows.length) body[field.name] = rows.map((row, place) => bodyOf(row.values, fieldsOfRow(field, row.values, place)));
    } else if (Array.isArray(value) || (value && typeof value === "object")) {
      if (Object.keys(value).length) body[field.name] = value;
    } else if (value === null ? takesNone(field) : value !== undefined && value !== "") {
      body[field.name] = value;
    }
  }
  return body;
}

/** Whether a body has all that its fields need. */
export const isWhole = (body, fields) => fields.every((field) => {
  const value = body[field.name];
  if (value === undefined) return !field.isRequired;
  return field.widget !== "rows" || value.every((row, place) => isWhole(row, fieldsOfRow(field, row, place)));
});

/** Whether a file of a value is on its way. */
export function isUploading(value) {
  if (!value || typeof value !== "object") return false;
  return value.progress === "Uploading…" || Object.values(value).some(isUploading);
}

/** Values of the form of a request that was sent; what is media is known by its id alone. */
export function valuesOf(params, fields) {
  const values = { model: params.model ?? "" };
  for (const field of fields) {
    const value = params[field.name];
    if (field.widget === "size") {
      if (params.width && params.height) values.size = { width: params.width, height: params.height };
    } else if (value === undefined || (value === null && !takesNone(field)) || JSON.stringify(value) === JSON.stringify(field.default)) {
      continue;
    } else if (field.widget === "media") {
      values[field.name] = { id: value, name: value };
    } else if (field.widget === "media-list") {
      values[field.name] = value.map((id) => ({ id, name: id }));
    } else if (field.widget === "rows") {
      values[field.name] = value.map((row) => newRow(valuesOf(row, field.fields)));
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
