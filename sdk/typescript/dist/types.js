/** What the native routes take and answer; the OpenAPI document of a service (/schema) has every field. */
export {};
