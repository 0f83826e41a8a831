"""The peers of `benchmarks/serving.py`, each a program of its own that serves one LightGBM text model on a port.

    serving_peers.py constant PORT             Granian, a constant answer after reading the body (the limit)
    serving_peers.py fastapi MODEL PORT        FastAPI on uvicorn, one async endpoint, pandas-free
    serving_peers.py mlflow-save MODEL FOLDER tensor|columns     writes a model for `mlflow models serve`

They run in an environment of their own (constant: in the project's) and import nothing of tasuki.
"""

import asyncio
import os
import sys

WIDTH = 30
NAMES = [f"f{place:02d}" for place in range(WIDTH)]


async def constant(_scope, protocol):  # type: ignore[no-untyped-def]
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/json")], b'{"score":0.5}')


def serve_constant(port: int) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    server = Server(
        constant,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=1024,
        backpressure=1024,
    )
    asyncio.run(server.serve())


def serve_fastapi(model: str, port: int) -> None:
    import lightgbm
    import numpy
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    booster = lightgbm.Booster(model_file=model)

    class Asked(BaseModel):
        unit: str
        features: dict[str, float]

    app = FastAPI()

    @app.post("/score")
    async def score(asked: Asked) -> dict[str, float]:
        row = numpy.array([[asked.features[name] for name in NAMES]])
        return {"score": float(booster.predict(row, num_threads=1)[0])}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def save_for_mlflow(model: str, folder: str, form: str) -> None:
    import lightgbm
    import mlflow.lightgbm
    import numpy
    import pandas
    from mlflow.models import infer_signature

    booster = lightgbm.Booster(model_file=model)
    example = numpy.zeros((2, WIDTH))
    given = example if form == "tensor" else pandas.DataFrame(example, columns=NAMES)
    signature = infer_signature(given, booster.predict(example))
    mlflow.lightgbm.save_model(booster, folder, signature=signature, pip_requirements=[])


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    match sys.argv[1:]:
        case ["constant", port]:
            serve_constant(int(port))
        case ["fastapi", model, port]:
            serve_fastapi(model, int(port))
        case ["mlflow-save", model, folder, form]:
            save_for_mlflow(model, folder, form)
        case _:
            sys.exit(__doc__)
