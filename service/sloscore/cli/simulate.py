"""``sloscore simulate``: a simulated inference server under load."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sloscore.simulate.server import SimulatedServer

_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(
    epilog="""
    \b
    Examples:
      sloscore simulate --kind vllm --port 8000 --rate 8 --max-num-seqs 16
      curl -s http://127.0.0.1:8000/metrics | grep e2e_request_latency_seconds
    """
)
@click.option(
    "--kind", type=click.Choice(["vllm", "sglang"]), default="vllm", show_default=True,
    help="Whose metric names and buckets to expose.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
    help="Port to bind, 0 for a free one.",
)  # fmt: skip
@click.option("--model", default="llama-3-1-8b-instruct", show_default=True, help="model_name.")
@click.option(
    "--max-num-seqs", type=click.IntRange(min=1), default=64, show_default=True,
    help="Requests that run at once.",
)  # fmt: skip
@click.option(
    "--tensor-parallel", type=click.IntRange(min=1), default=1, show_default=True,
    help="Devices of 24 GiB.",
)  # fmt: skip
@click.option(
    "--memory-share", type=click.FloatRange(0, 1, min_open=True), default=0.9, show_default=True,
    help="Share of their memory that weights and KV cache may take.",
)  # fmt: skip
@click.option("--rate", type=_POSITIVE, default=4.0, show_default=True, help="Requests/s.")
@click.option("--prompt-tokens", type=_POSITIVE, default=512, show_default=True, help="Mean.")
@click.option("--output-tokens", type=_POSITIVE, default=128, show_default=True, help="Mean.")
@click.option(
    "--tail", type=click.FloatRange(0, 3), default=0.7, show_default=True,
    help="Sigma of the lognormal distribution of output lengths.",
)  # fmt: skip
@click.option(
    "--error-share", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Share of requests that fail.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same requests.")
@click.option(
    "--speed", type=_POSITIVE, default=1.0, show_default=True,
    help="Seconds of load in a second of wall time.",
)  # fmt: skip
@click.option("--duration", type=_POSITIVE, help="Seconds until it ends. [default: until SIGTERM]")
@click.option(
    "--log", type=click.Path(path_type=Path, dir_okay=False),
    help="File to append each finished request to, as a line of JSON.",
)  # fmt: skip
def simulate(  # noqa: PLR0913  an option each
    *,
    kind: str,
    host: str,
    port: int,
    model: str,
    max_num_seqs: int,
    tensor_parallel: int,
    memory_share: float,
    rate: float,
    prompt_tokens: float,
    output_tokens: float,
    tail: float,
    error_share: float,
    seed: int,
    speed: float,
    duration: float | None,
    log: Path | None,
) -> None:
    """Run a simulated inference server under load: a real exporter, made-up requests."""
    import asyncio

    from sloscore.simulate.requests import Deployment, Workload
    from sloscore.simulate.server import SimulatedServer

    server = SimulatedServer(
        kind, model_name=model, host=host, port=port, speed=speed, log_file=log
    )
    deployment = Deployment(max_num_seqs, tensor_parallel, memory_share)
    workload = Workload(rate, prompt_tokens, output_tokens, tail, error_share)

    async def run() -> None:
        async with server:
            server.start_load(deployment, workload, seed)
            click.echo(f"{kind} listens on http://{server.address}/metrics")
            await _until_stopped(server, duration)
        click.echo(f"{len(server.log)} requests finished")

    asyncio.run(run())


async def _until_stopped(server: "SimulatedServer", duration: float | None) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    broken = asyncio.create_task(server.wait_load())
    done, pending = await asyncio.wait(
        {stopped, broken}, timeout=duration, return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
