/** What a call can fail with. */
export interface ErrorFacts {
    status: number;
    code: string;
    field?: string;
    requestId?: string;
    body?: unknown;
}
/** The API refuses a request, or a job did not complete; `status` is 0 where no answer came. */
export declare class AtelierError extends Error {
    readonly status: number;
    readonly code: string;
    readonly field?: string;
    readonly requestId?: string;
    readonly body?: unknown;
    constructor(message: string, facts: ErrorFacts);
}
/** The sentence, the code and the field of an error in any of the API's forms. */
export declare function errorOf(status: number, body: unknown, requestId: string | undefined): AtelierError;
export declare function isRecord(value: unknown): value is Record<string, unknown>;
