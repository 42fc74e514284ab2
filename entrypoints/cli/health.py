"""`llama-mapper health`: is a running server ready, and what does it say of its parts?"""

from __future__ import annotations

from typing import Annotated, Any

import typer


def health(
    url: Annotated[str | None, typer.Option(help="Base URL of the server; default: this machine's, by port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's answer as it is.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=300.0, help="Seconds to wait for the answer.")] = 5.0,
) -> None:
    """Ask a running server whether it is ready; the exit status is 0 if it is, else 1."""
    import httpx2

    from llama_mapper.entrypoints.settings import Settings

    base = url or f"http://127.0.0.1:{Settings.load().port}"
    try:
        answer = httpx2.get(f"{base.rstrip('/')}/readyz", timeout=timeout, trust_env=False)
        state = answer.json()
        ready = answer.status_code == 200 and state["status"] == "ready"
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError) as error:
        state, ready = {"status": "unreachable", "reason": type(error).__name__}, False
    if as_json:
        import json

        typer.echo(json.dumps(state))
    else:
        _show(base, state)
    raise typer.Exit(0 if ready else 1)


def _show(base: str, state: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    reason = f" ({state['reason']})" if state.get("reason") else ""
    console.print(Text(f"{base}: {str(state['status']).replace('_', ' ')}{reason}"))
    table = Table("part", "state")
    for part, told in {**state.get("dependencies", {}), **state.get("notes", {})}.items():
        table.add_row(Text(str(part)), Text(str(told)))
    if table.row_count:
        console.print(table)
