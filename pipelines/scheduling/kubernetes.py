"""Renders a schedule as CronJobs of Kubernetes."""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.scheduling.commands import run_command
from pipelines.scheduling.plan import Schedule, run_name

_HEAD = "# Rendered by jobs/schedule.py from the schedule: change that, and render this again.\n"
_KILLED = [137, 143]  # by the node, or for its memory
_LABEL = "metadata.labels['batch.kubernetes.io/job-name']"


def render_kubernetes(schedule: Schedule) -> str:
    """A CronJob for each job and data set, as YAML documents.

    The container runs all steps and tries again what the schedule says. Kubernetes starts a pod
    again only where something outside has ended it. The name of a Job has its scheduled time, so
    that a pod which starts late, or again, works on the same date.
    """
    jobs = [
        _cron_job(schedule, job, dataset)
        for job in schedule.jobs
        for dataset in schedule.datasets_of(job)
    ]
    return _HEAD + yaml.safe_dump_all(jobs, sort_keys=False, width=100)


def _cron_job(schedule: Schedule, job: str, dataset: str) -> dict[str, Any]:
    settings, name = schedule.jobs[job], run_name(job, dataset)
    labels = {"app.kubernetes.io/name": "optdist", "app.kubernetes.io/component": job}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": schedule.kubernetes.namespace,
            "labels": labels,
        },
        "spec": {
            "schedule": settings.cron,
            "timeZone": schedule.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 7,
            "failedJobsHistoryLimit": 14,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": schedule.retries_of(job).times,
                    "activeDeadlineSeconds": 3600 * settings.hours_at_most,
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "Ignore",
                                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                            },
                            {
                                "action": "FailJob",
                                "onExitCodes": {"operator": "NotIn", "values": _KILLED},
                            },
                        ]
                    },
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": _pod(schedule, job, dataset),
                    },
                }
            },
        },
    }


def _pod(schedule: Schedule, job: str, dataset: str) -> dict[str, Any]:
    settings = schedule.kubernetes
    resources = {"cpu": settings.cpu, "memory": settings.memory}
    variables: list[dict[str, Any]] = [
        {"name": "JOB_NAME", "valueFrom": {"fieldRef": {"fieldPath": _LABEL}}},
        {"name": "SPARK_LOCAL_DIRS", "value": "/scratch"},
        {"name": "TMPDIR", "value": "/scratch"},
    ]
    variables += [{"name": n, "value": v} for n, v in schedule.variables.items()]
    container: dict[str, Any] = {
        "name": "optdist",
        "image": settings.image,
        "workingDir": schedule.project,
        "command": run_command(job, dataset, "--slot", "$(JOB_NAME)"),
        "env": variables,
        "resources": {"requests": resources, "limits": {"memory": settings.memory}},
        "volumeMounts": [
            {"name": "artifacts", "mountPath": settings.mount},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if settings.secret:
        container["envFrom"] = [{"secretRef": {"name": settings.secret}}]
    return {
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [
            {"name": "artifacts", "persistentVolumeClaim": {"claimName": settings.claim}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }
