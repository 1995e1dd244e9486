"""A proxy of one's own: `own-proxy.py PORT HOST:PORT IDLE_SECONDS`. It joins each client to the server, ends what is idle, and logs it."""

import asyncio
import itertools
import sys

port, server, idle = int(sys.argv[1]), sys.argv[2].rsplit(":", 1), float(sys.argv[3])
numbers = itertools.count(1)


def name(address):
    return f"{address[0]}:{address[1]}"


async def serve(client_reader, client_writer):
    number, loop = next(numbers), asyncio.get_running_loop()
    print(f"#{number} accepted {name(client_writer.get_extra_info('peername'))}", flush=True)
    server_reader, server_writer = await asyncio.open_connection(server[0], int(server[1]))
    source, target = (server_writer.get_extra_info(end) for end in ("sockname", "peername"))
    print(f"#{number} opened {name(source)} -> {name(target)}", flush=True)
    last = loop.time()

    async def copy(reader, writer, who):
        nonlocal last
        try:
            while data := await reader.read(65536):
                last = loop.time()
                writer.write(data)
        except OSError as error:
            return f"{who} broke: {error}"
        return f"{who} has closed"

    async def watch():
        while (left := last + idle - loop.time()) > 0:
            await asyncio.sleep(left)
        return f"idle for {idle:g} s"

    tasks = [
        asyncio.create_task(job)
        for job in (copy(client_reader, server_writer, "client"), copy(server_reader, client_writer, "server"), watch())
    ]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    print(f"#{number} closed: {done.pop().result()}", flush=True)
    client_writer.close()
    server_writer.close()


async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", port) as listening:
        await listening.serve_forever()


asyncio.run(main())
