"""The router of webhook endpoints and their deliveries."""

from api.http.dependencies import Router, provide
from api.native.webhooks.deliveries import DeliveryRoutes
from api.native.webhooks.endpoints import WebhookRoutes
from api.operations.webhooks import WebhookOperations


def webhooks_router(webhooks: WebhookOperations) -> Router:
    """Return the router."""
    return Router("/", route_handlers=[WebhookRoutes, DeliveryRoutes], dependencies=provide(webhooks=webhooks))
