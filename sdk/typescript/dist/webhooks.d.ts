/** Verification of webhooks, with WebCrypto. */
export type HeaderSource = Headers | Record<string, string | string[] | undefined>;
/**
 * Return the JSON of a webhook whose signature (Standard Webhooks: webhook-id, -timestamp, -signature) is right.
 *
 * `body` is the body as it was received. Throws `AtelierError` (`bad_signature`) otherwise, and for a message that is
 * older or newer than `toleranceSeconds`.
 */
export declare function verifyWebhook<T = unknown>(body: string | Uint8Array, headers: HeaderSource, secret: string, toleranceSeconds?: number): Promise<T>;
/**
 * Return the JSON of a callback in WhaleTools' form (`X-Webhook-Signature: sha256=<hex>`, of the body).
 *
 * Throws as `verifyWebhook` does.
 */
export declare function verifyWhaleWebhook<T = unknown>(body: string | Uint8Array, headers: HeaderSource, secret: string, toleranceSeconds?: number): Promise<T>;
