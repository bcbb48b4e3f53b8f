/** What a call can fail with. */
/** The API refuses a request, or a job did not complete; `status` is 0 where no answer came. */
export class AtelierError extends Error {
    status;
    code;
    field;
    requestId;
    body;
    constructor(message, facts) {
        super(message);
        this.name = "AtelierError";
        this.status = facts.status;
        this.code = facts.code;
        this.field = facts.field;
        this.requestId = facts.requestId;
        this.body = facts.body;
    }
}
/** The sentence, the code and the field of an error in any of the API's forms. */
export function errorOf(status, body, requestId) {
    const found = isRecord(body) ? body : {};
    const inner = isRecord(found["error"]) ? found["error"] : {};
    const message = text(found["detail"]) ?? text(found["message"]) ?? text(found["error"]) ?? text(inner["message"]) ?? `HTTP ${status}`;
    const code = text(found["code"]) ?? text(inner["code"]) ?? text(found["error_code"]) ?? "http_error";
    const field = text(found["field"]) ?? text(inner["param"]);
    return new AtelierError(message, { status, code, field, requestId, body });
}
export function isRecord(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}
function text(value) {
    return typeof value === "string" ? value : undefined;
}
