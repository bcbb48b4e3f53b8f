export * from "./client.js";
export { AtelierError } from "./errors.js";
export * from "./media.js";
export * from "./types.js";
export * from "./videogen.js";
export { verifyWebhook, verifyWhaleWebhook } from "./webhooks.js";
export * as whaletools from "./whale.js";
export { WhaleClient } from "./whale.js";
