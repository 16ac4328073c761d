"""Notifications: a tenant's webhooks are told of its rollouts, signed and at least once."""

from hydracore_operator.notifications.reconciler import NotificationReconciler
from hydracore_operator.notifications.sender import WebhookSender
from hydracore_operator.notifications.signing import WebhookSigner

__all__ = ["NotificationReconciler", "WebhookSender", "WebhookSigner"]
