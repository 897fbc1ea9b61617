"""The Celery app: `celery -A worker.app worker`, or `touchstone worker`.

The job store is the truth. A message holds the number of a shard and nothing else; who gets it claims that
shard in the store. A message that is lost is sent again, one that comes twice finds the shard taken: Redis
may be flushed, cut off or restarted at any time, and no job is lost or counted twice.
"""

from __future__ import annotations

from celery import Celery
from kombu import Exchange, Queue

from worker.jobs.model import Lane
from worker.settings import Settings, load_settings

QUEUES = {Lane.LIVE: "touchstone.live", Lane.BATCH: "touchstone.batch", Lane.LOW: "touchstone.low"}
LOCAL_REDIS = "redis://127.0.0.1:6379/0"


def make_app(settings: Settings) -> Celery:
    """The app on the broker of the settings, by default a Redis on this machine."""
    made = Celery("touchstone", broker=settings.broker_url or LOCAL_REDIS, include=["worker.tasks"])
    made.conf.update(
        # A message may only be numbers: nothing that a stranger puts into Redis is ever run or unpickled.
        accept_content=["json"],
        task_serializer="json",
        # Results are in the store; nobody ever waits for one in Redis.
        task_ignore_result=True,
        # One process of one thread, with its sessions: ONNX Runtime uses the cores, and forking after
        # CUDA was started breaks it. More processes are more workers.
        worker_pool="solo",
        worker_concurrency=1,
        # A queue a lane, each worker taking the first that has anything: Redis's own priorities are
        # emulated, and what a worker has prefetched breaks them.
        task_queues=[Queue(name, Exchange("touchstone"), routing_key=name) for name in QUEUES.values()],
        task_default_queue=QUEUES[Lane.BATCH],
        task_default_routing_key=QUEUES[Lane.BATCH],
        task_default_exchange="touchstone",
        # Acknowledged when done, so that a worker holds one message and no more.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # What waits in a busy worker could be done by an idle one.
        worker_prefetch_multiplier=1,
        broker_transport_options={
            "queue_order_strategy": "priority",
            # Redis is told of no acknowledgement: one that a cut connection swallowed would be waited for
            # without end, and a worker that waits for it takes no message any more (kombu 5.7). What a dead
            # worker held is told of again by the store.
            "ack_emulation": False,
            # A broker that is cut off without a word: commands give up after ten seconds, and the connection
            # that waits for messages is dropped when it was silent for twice five.
            "health_check_interval": 5,
            "socket_timeout": 10,
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "global_keyprefix": "touchstone:",
        },
        # A broker that is down, at the start or later, is waited for without end.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # The shard goes on: its lease is in the store, not in Redis.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Loading a model may take longer than the four seconds a new pool child has by default, and one
        # that is too slow is killed and started again without end (celery#4323); for other pools.
        worker_proc_alive_timeout=120,
        # Our logs go where the operator sends them; events are for Flower, which asks for them itself.
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return made


app = make_app(load_settings())
