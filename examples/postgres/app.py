"""A notebook. The notes are PostgreSQL's: they survive reloads of this program and a new `devmount up`."""

from contextlib import closing

import psycopg2
from flask import Flask, request

app = Flask(__name__)


def connect() -> closing:
    """A connection as PGHOST and PGUSER say."""
    return closing(psycopg2.connect(""))


with connect() as opened, opened, opened.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS note (id serial PRIMARY KEY, text text NOT NULL)")


@app.get("/")
def notes() -> str:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT text FROM note ORDER BY id")
        lines = [f"- {text}" for (text,) in cursor]
    return "\n".join(["Notes:", *lines, ""])


@app.post("/")
def add() -> str:
    with connect() as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO note (text) VALUES (%s)", [request.get_data(as_text=True)])
    return "Noted.\n"
