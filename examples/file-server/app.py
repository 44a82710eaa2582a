"""Takes uploads: `curl --upload-file FILE http://127.0.0.1:8000/`. Whole files only: a broken upload leaves nothing."""

import os
import shutil
import tempfile
from pathlib import Path

from flask import Flask, abort, request
from werkzeug.utils import secure_filename

app = Flask(__name__)
uploads = Path(os.environ["UPLOADS"])


@app.get("/")
def page() -> str:
    return f"{sum(path.is_file() for path in uploads.iterdir())} files so far.\n"


@app.put("/<name>")
def upload(name: str) -> str:
    safe = secure_filename(name)
    if not safe:
        abort(400, "that is no name for a file")
    with tempfile.TemporaryDirectory(prefix=".upload-", dir=uploads) as folder:
        part = Path(folder, safe)
        with part.open("wb") as file:
            shutil.copyfileobj(request.stream, file)
        part.replace(uploads / safe)
    return f"Took {safe}.\n"
