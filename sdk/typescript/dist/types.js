/** What the native routes take and answer; `scripts/sdk_models.py` writes it from the API. */
export {};
