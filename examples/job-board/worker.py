"""Does the jobs of the queue, one after another. Told to stop, it ends the one that it has."""

import os
import signal
import socket

import psycopg2
import redis

VERSION = os.environ["APP_VERSION"]
QUEUE = os.environ["QUEUE"]
MINE = f"{QUEUE}:{socket.gethostname()}"

stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
queue = redis.Redis.from_url(os.environ["REDIS_URL"])
database = psycopg2.connect(os.environ["DATABASE_URL"])
database.autocommit = True
print(f"worker {VERSION} takes from {QUEUE}")

while not stopping:
    # In a list of its own until it is done, so that it is not lost when this process dies.
    job = queue.brpoplpush(QUEUE, MINE, timeout=1)
    if job is None:
        continue
    with database.cursor() as cursor:
        cursor.execute(
            "insert into done (id, worker) values (%s, %s) on conflict (id) do update set runs = done.runs + 1",
            (job.decode(), VERSION),
        )
    queue.lrem(MINE, 1, job)
print("stopped")
