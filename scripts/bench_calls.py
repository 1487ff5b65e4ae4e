"""What people write themselves to ask a service row by row: the peers of the realtime bench, each run
as a process of its own.

    bench_calls.py aiohttp | openai   TABLE OUT URL CONCURRENCY
"""

import asyncio
import csv
import json
import sys

from bench_peers import PROMPT
from sandbox_child import KEY

MODEL = "gpt-4o-mini"


def body_of(row):
    return {"model": MODEL, "max_tokens": 100,
            "messages": [{"role": "user", "content": PROMPT.format(row["review"])}]}


async def all_rows(table, out, concurrency, ask):
    """Reads the table, asks with so many workers, writes each answer as it comes."""
    with open(table, encoding="utf-8", newline="") as source, open(out, "w", encoding="utf-8") as to:
        rows = enumerate(csv.DictReader(source))

        async def worker():
            for number, row in rows:
                answer = await ask(row)
                to.write(json.dumps({"row": number, "answer": answer}, ensure_ascii=False) + "\n")

        await asyncio.gather(*(worker() for _ in range(concurrency)))


async def with_aiohttp(table, out, url, concurrency):
    import aiohttp
    connector = aiohttp.TCPConnector(limit=concurrency)
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        async def ask(row):
            async with session.post(f"{url}/chat/completions", json=body_of(row)) as reply:
                reply.raise_for_status()
                return (await reply.json())["choices"][0]["message"]["content"]

        await all_rows(table, out, concurrency, ask)


async def with_openai(table, out, url, concurrency):
    import openai
    async with openai.AsyncOpenAI(api_key=KEY, base_url=url) as client:
        async def ask(row):
            said = await client.chat.completions.create(**body_of(row))
            return said.choices[0].message.content

        await all_rows(table, out, concurrency, ask)


if __name__ == "__main__":
    peer, table, out, url, concurrency = sys.argv[1:]
    run = {"aiohttp": with_aiohttp, "openai": with_openai}[peer]
    asyncio.run(run(table, out, url, int(concurrency)))
