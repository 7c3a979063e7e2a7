"""A Modbus server that is not ours: pymodbus, serving what stdin says.

    modbus_server.py tcp | rtu_over_tcp | rtu DEVICE

Reads one line of JSON, {"unit": {"coils|discrete|holding|input": {"address": [values]}}},
prints `port N` when it listens on a free loopback port (0 on a serial line), and ends
when stdin is closed.
"""

import asyncio
import json
import sys

from pymodbus.datastore import (
    ModbusDeviceContext,
    ModbusServerContext,
    ModbusSparseDataBlock,
)
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer


def block(table):
    # The device context counts from one, the wire from zero.
    values = {}
    for address, words in table.items():
        for offset, word in enumerate(words):
            values[int(address) + offset + 1] = word
    return ModbusSparseDataBlock(values or {70000: 0})


def device(tables):
    return ModbusDeviceContext(
        co=block(tables.get("coils", {})),
        di=block(tables.get("discrete", {})),
        hr=block(tables.get("holding", {})),
        ir=block(tables.get("input", {})),
    )


async def main():
    units = json.loads(sys.stdin.readline())
    context = ModbusServerContext(
        devices={int(unit): device(tables) for unit, tables in units.items()},
        single=False,
    )
    kind = sys.argv[1] if len(sys.argv) > 1 else "tcp"
    port = 0
    if kind == "rtu":
        server = ModbusSerialServer(context, port=sys.argv[2], baudrate=19200)
        await server.serve_forever(background=True)
    else:
        framer = FramerType.RTU if kind == "rtu_over_tcp" else FramerType.SOCKET
        server = ModbusTcpServer(context, framer=framer, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        port = server.transport.sockets[0].getsockname()[1]
    print(f"port {port}", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    await server.shutdown()


asyncio.run(main())
