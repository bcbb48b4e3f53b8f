/** Verification of webhooks, with WebCrypto. */

import { AtelierError } from "./errors.js";

export type HeaderSource = Headers | Record<string, string | string[] | undefined>;

const encoder = new TextEncoder();

/**
 * Return the JSON of a webhook whose signature (Standard Webhooks: webhook-id, -timestamp, -signature) is right.
 *
 * `body` is the body as it was received. Throws `AtelierError` (`bad_signature`) otherwise, and for a message that is
 * older or newer than `toleranceSeconds`.
 */
export async function verifyWebhook<T = unknown>(
  body: string | Uint8Array,
  headers: HeaderSource,
  secret: string,
  toleranceSeconds = 300,
): Promise<T> {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature");
  if (!id || !timestamp || !signatures) throw refused("a header is missing");
  checkTime(Number(timestamp), toleranceSeconds);
  const key = decodeBase64(secret.replace(/^whsec_/, ""));
  const text = bytes(body);
  const signed = await sign(key, concat(encoder.encode(`${id}.${timestamp}.`), text));
  const expected = encodeBase64(signed);
  const given = signatures.split(" ").flatMap((one) => (one.startsWith("v1,") ? [one.slice(3)] : []));
  if (!given.some((one) => same(one, expected))) throw refused("no signature is right");
  return JSON.parse(new TextDecoder().decode(text)) as T;
}

/**
 * Return the JSON of a callback in WhaleTools' form (`X-Webhook-Signature: sha256=<hex>`, of the body).
 *
 * Throws as `verifyWebhook` does.
 */
export async function verifyWhaleWebhook<T = unknown>(
  body: string | Uint8Array,
  headers: HeaderSource,
  secret: string,
  toleranceSeconds = 300,
): Promise<T> {
  const signature = header(headers, "x-webhook-signature");
  const timestamp = header(headers, "x-webhook-timestamp");
  if (!signature || !timestamp) throw refused("a header is missing");
  const seconds = /^\d+$/.test(timestamp) ? Number(timestamp) : Date.parse(timestamp) / 1000;
  checkTime(seconds, toleranceSeconds);
  const text = bytes(body);
  const signed = await sign(encoder.encode(secret), text);
  const expected = Array.from(signed, (one) => one.toString(16).padStart(2, "0")).join("");
  if (!signature.split(",").some((one) => same(one.trim().replace(/^sha256=/, ""), expected))) {
    throw refused("no signature is right");
  }
  return JSON.parse(new TextDecoder().decode(text)) as T;
}

async function sign(key: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

function header(headers: HeaderSource, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return Array.isArray(found) ? found.join(" ") : found;
}

function checkTime(seconds: number, tolerance: number): void {
  if (!(Math.abs(Date.now() / 1000 - seconds) <= tolerance)) throw refused("it is too old, or its clock is wrong");
}

function refused(why: string): AtelierError {
  return new AtelierError(`The webhook is not genuine: ${why}.`, { status: 0, code: "bad_signature" });
}

function bytes(body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof body === "string" ? encoder.encode(body) : new Uint8Array(body);
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

function encodeBase64(data: Uint8Array): string {
  return btoa(String.fromCharCode(...data));
}

/** Whether two texts are equal, in a time that does not depend on where they differ. */
function same(first: string, second: string): boolean {
  let difference = first.length ^ second.length;
  for (let place = 0; place < second.length; place++) {
    difference |= (first.charCodeAt(place) || 0) ^ second.charCodeAt(place);
  }
  return difference === 0;
}
