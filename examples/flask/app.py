"""One page. Change the greeting while `devmount up` runs, and look again."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def page() -> str:
    return "Hello from the container\n"
