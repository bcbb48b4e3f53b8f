"""The ids of the operations: what generated clients call them."""

from litestar.openapi.spec import Operation

from jobs.params.registry import MODALITIES

_NAMES = {
    "image": "Image",
    "video": "Video",
    "speech": "Speech",
    "3d": "Mesh",
    "remove-background": "Cutout",
    "branding": "Branding",
    "join": "Join",
    "vectorize": "Vectorize",
    "text": "Text",
    "upscale": "Upscale",
}
OPERATION_IDS = {
    **{
        name: id_
        for modality in MODALITIES
        for name, id_ in (
            (f"post {modality.path}", f"create{_NAMES[modality.name]}"),
            (f"get {modality.path}/status/{{job_id}}", f"get{_NAMES[modality.name]}Status"),
        )
    },
    "post /inputs/v1": "createUpload",
    "get /voices/v1": "listVoices",
    "post /voices/v1": "createVoice",
    "get /voices/v1/{voice_id}": "getVoice",
    "get /voices/v1/{voice_id}/sample": "getVoiceSample",
    "delete /voices/v1/{voice_id}": "deleteVoice",
    "post /media/v1": "createMedia",
    "get /media/v1": "listMedia",
    "get /media/v1/search": "searchMedia",
    "get /media/v1/{media_id}": "getMedia",
    "patch /media/v1/{media_id}": "changeMedia",
    "delete /media/v1/{media_id}": "deleteMedia",
    "post /media/v1/{media_id}/archive": "archiveMedia",
    "post /media/v1/{media_id}/publish": "publishMedia",
    "post /media/v1/{media_id}/unpublish": "unpublishMedia",
    "post /media/v1/{media_id}/link": "linkMedia",
    "delete /media/v1/{media_id}/link": "unlinkMedia",
    "post /media/v1/link": "linkSeveralMedia",
    "get /profiles/v1": "listProfiles",
    "post /profiles/v1": "createProfile",
    "get /profiles/v1/{profile_id}": "getProfile",
    "patch /profiles/v1/{profile_id}": "changeProfile",
    "delete /profiles/v1/{profile_id}": "deleteProfile",
    "get /jobs/v1": "listJobs",
    "post /jobs/v1": "createJobs",
    "post /jobs/v1/pause": "pauseQueue",
    "post /jobs/v1/resume": "resumeQueue",
    "post /estimates/v1": "estimateJob",
    "get /jobs/v1/{job_id}": "getJob",
    "patch /jobs/v1/{job_id}": "changeJob",
    "delete /jobs/v1/{job_id}": "deleteJob",
    "get /jobs/v1/{job_id}/request": "getJobRequest",
    "get /jobs/v1/{job_id}/manifest": "getManifest",
    "post /jobs/v1/{job_id}/reproduce": "reproduceJob",
    "post /jobs/v1/{job_id}/redrive": "redriveJob",
    "post /jobs/v1/{job_id}/cancel": "cancelJob",
    "get /jobs/v1/{job_id}/events": "followJob",
    "get /chains/v1": "listChains",
    "post /chains/v1": "createChain",
    "get /chains/v1/{chain_id}": "getChain",
    "post /chains/v1/{chain_id}/cancel": "cancelChain",
    "post /storyboards/v1": "createStoryboard",
    "post /storyboards/v1/estimate": "estimateStoryboard",
    "get /webhooks/v1": "listWebhooks",
    "post /webhooks/v1": "createWebhook",
    "get /webhooks/v1/{webhook_id}": "getWebhook",
    "patch /webhooks/v1/{webhook_id}": "changeWebhook",
    "delete /webhooks/v1/{webhook_id}": "deleteWebhook",
    "post /webhooks/v1/{webhook_id}/rotate": "rotateWebhookSecret",
    "post /webhooks/v1/{webhook_id}/test": "testWebhook",
    "post /webhooks/v1/replay": "replayDeliveries",
    "get /webhooks/v1/deliveries": "listDeliveries",
    "get /webhooks/v1/deliveries/{delivery_id}": "getDelivery",
    "post /webhooks/v1/deliveries/{delivery_id}/replay": "replayDelivery",
    "get /me/v1": "getMe",
    "patch /me/v1": "changeMe",
    "get /usage/v1": "getUsage",
    "get /keys/v1": "listKeys",
    "post /keys/v1": "createKey",
    "get /keys/v1/{key_id}": "getKey",
    "patch /keys/v1/{key_id}": "changeKey",
    "delete /keys/v1/{key_id}": "revokeKey",
    "get /models/v1": "listModels",
    "get /servers/v1": "listServers",
    "get /servers/v1/{server_id}": "getServer",
    "delete /servers/v1/{server_id}": "deleteServer",
    "post /servers/v1/{server_id}/cordon": "cordonServer",
    "post /servers/v1/{server_id}/uncordon": "uncordonServer",
    "post /servers/v1/{server_id}/drain": "drainServer",
    "post /servers/v1/{server_id}/preload": "preloadModels",
    "post /servers/v1/{server_id}/unload": "unloadModels",
    "post /servers/v1/{server_id}/recycle": "recycleServer",
    "get /queue/v1": "getQueue",
    "get /o/{job_id}/{name}": "getOutput",
    "head /o/{job_id}/{name}": "headOutput",
    "get /m/{media_id}/{name}": "getMediaFile",
    "head /m/{media_id}/{name}": "headMediaFile",
    "get /p/{token}": "getPublicMedia",
    "head /p/{token}": "headPublicMedia",
    "get /files/{key}": "getFile",
    "head /files/{key}": "headFile",
    "put /files/{key}": "putFile",
    "get /health/live": "getLiveness",
    "get /health/ready": "getReadiness",
    "get /problems": "listErrorCodes",
    "get /problems/{code}": "getErrorCode",
}
"""By method and path, in the order of the document. A client that is generated anew loses a method when one changes:
add, do not rename."""
PLACES = {name.partition(" ")[2]: -place for place, name in enumerate(reversed(OPERATION_IDS))}
"""The place of each path in the document."""


def name_operation(method: str, path: str, operation: Operation) -> None:
    """Give an operation its id; one that has none yet keeps the framework's, which a test finds."""
    operation.operation_id = OPERATION_IDS.get(f"{method} {path}", operation.operation_id)
