"""A visit counter. The count is Redis's: it survives reloads of this program and a new `devmount up`."""

import os

from flask import Flask
from redis import Redis

app = Flask(__name__)
redis = Redis(host=os.environ["REDIS_HOST"])


@app.get("/")
def page() -> str:
    return f"Visits: {redis.incr('visits')}\n"


@app.get("/health")
def health() -> str:
    redis.ping()
    return "ok\n"
