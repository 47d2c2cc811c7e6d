"""
A wire between two network interfaces, with a rate and a delay, where the kernel has no netem. Run it in the namespace that has
both; it needs root, and nothing but Python.

    python3 slow-link.py INTERFACE INTERFACE MBIT_PER_S ONE_WAY_MS

Frames leave in order, one after another at the rate, and arrive a delay later. Their offload headers go along, so a frame may be
as large as TCP makes it.
"""

import collections
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 263, 15, 4
ALL_FRAMES = 0x0003
LARGEST = 1 << 17


def open_end(interface):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES))
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
    end.bind((interface, 0))
    return end


def main(first, second, mbit, delay_ms):
    bytes_per_second = float(mbit) * 1e6 / 8
    delay = float(delay_ms) / 1e3
    ends = [open_end(first), open_end(second)]
    under_way = [collections.deque(), collections.deque()]
    # When the last bit of what was sent so far is on the wire, by direction.
    sent_until = [0.0, 0.0]
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for queue, end in zip(under_way, reversed(ends)):
            while queue and queue[0][0] <= now:
                end.send(queue.popleft()[1])
        due = [queue[0][0] for queue in under_way if queue]
        wait = max(0.0, min(due) - now) if due else None
        for end in select.select(ends, [], [], wait)[0]:
            frame, address = end.recvfrom(LARGEST)
            if address[2] == PACKET_OUTGOING:
                continue
            way = ends.index(end)
            start = max(time.monotonic(), sent_until[way])
            sent_until[way] = start + len(frame) / bytes_per_second
            under_way[way].append((sent_until[way] + delay, frame))


main(*sys.argv[1:])
