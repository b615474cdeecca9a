"""Takes jobs over HTTP and puts them into a queue of Redis; tells which are done, from PostgreSQL."""

import json
import os
import signal
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis

VERSION = os.environ["APP_VERSION"]
QUEUE = os.environ["QUEUE"]
queue = redis.Redis.from_url(os.environ["REDIS_URL"])


def rows(query):
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-app-version", VERSION)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            queue.ping()
            rows("select 1")
            self.answer(200, {"ok": True})
        elif self.path == "/jobs":
            done = rows("select id, worker, runs from done order by id")
            self.answer(200, [{"id": i, "worker": w, "runs": r} for i, w, r in done])
        elif self.path == "/":
            self.answer(200, {"greeting": os.environ["GREETING"], "version": VERSION})
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        job = str(uuid.uuid4())
        queue.lpush(QUEUE, job)
        self.answer(201, {"id": job})

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
# Shutting down waits for the loop, which this thread is in.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
