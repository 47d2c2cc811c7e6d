"""Ray's side of ray-comparison.bench.ts: sets up and runs single benchmarks as lines of JSON ask for them.

Public API of Ray only, and the loops of Ray's own microbenchmark. Nothing is measured here but time: the program that
asks reads what the processes used.
"""

import json
import sys
import time

import numpy
import ray

BATCH = 1000
MANY = 2
GROUPS = 100


@ray.remote
def small_value():
    return b"ok"


@ray.remote
class Server:
    def small_value(self):
        return b"ok"

    def small_value_arg(self, _value):
        return b"ok"

    def take(self, array):
        return len(array)


@ray.remote
class Client:
    def __init__(self, servers):
        self.servers = servers

    def small_value_batch(self, calls):
        ray.get([s.small_value.remote() for s in self.servers for _ in range(calls)])

    def small_value_batch_arg(self, calls):
        value = ray.put(0)
        ray.get([s.small_value_arg.remote(value) for s in self.servers for _ in range(calls)])


@ray.remote
def work(servers, calls):
    ray.get([servers[n % len(servers)].small_value.remote() for n in range(calls)])


class Item:
    def __init__(self, operations, run, actors=(), rest=0.0):
        self.operations = operations
        self.run = run
        self.actors = actors
        self.rest = rest

    def close(self):
        for actor in self.actors:
            ray.kill(actor)


def tasks_sync():
    return Item(1, lambda: ray.get(small_value.remote()))


def tasks_async():
    return Item(BATCH, lambda: ray.get([small_value.remote() for _ in range(BATCH)]))


def actor_sync():
    server = Server.remote()
    return Item(1, lambda: ray.get(server.small_value.remote()), [server])


def actor_async(**options):
    server = Server.options(**options).remote()
    return Item(
        BATCH, lambda: ray.get([server.small_value.remote() for _ in range(BATCH)]), [server]
    )


def one_to_many():
    servers = [Server.remote() for _ in range(MANY)]
    client = Client.remote(servers)
    return Item(
        MANY * BATCH,
        lambda: ray.get(client.small_value_batch.remote(BATCH)),
        [client, *servers],
    )


def many_to_many():
    servers = [Server.remote() for _ in range(MANY)]
    return Item(
        MANY * BATCH,
        lambda: ray.get([work.remote(servers, BATCH) for _ in range(MANY)]),
        servers,
    )


def many_to_many_arg():
    servers = [Server.remote() for _ in range(MANY)]
    clients = [Client.remote([server]) for server in servers]
    return Item(
        MANY * BATCH,
        lambda: ray.get([c.small_value_batch_arg.remote(BATCH) for c in clients]),
        [*clients, *servers],
    )


def placement_groups():
    def run():
        groups = [ray.util.placement_group([{"CPU": 0.001}]) for _ in range(GROUPS)]
        for group in groups:
            group.wait(timeout_seconds=30)
        for group in groups:
            ray.util.remove_placement_group(group)

    return Item(GROUPS, run)


def new_actor():
    made = []

    def run():
        server = Server.remote()
        made.append(server)
        ray.get(server.small_value.remote())

    return Item(1, run, made, rest=1.0)


def array_to_actor():
    server = Server.remote()
    array = numpy.ones(1_000_000)
    return Item(1, lambda: ray.get(server.take.remote(array)), [server])


ITEMS = {
    "single_client_tasks_sync": tasks_sync,
    "single_client_tasks_async": tasks_async,
    "1_1_actor_calls_sync": actor_sync,
    "1_1_actor_calls_async": actor_async,
    "1_1_actor_calls_concurrent": lambda: actor_async(max_concurrency=16),
    "1_n_actor_calls_async": one_to_many,
    "n_n_actor_calls_async": many_to_many,
    "n_n_actor_calls_with_arg_async": many_to_many_arg,
    "placement_group_create/removal": placement_groups,
    "task_after_idle": lambda: Item(1, lambda: ray.get(small_value.remote()), rest=1.0),
    "new_actor_first_call": new_actor,
    "array_8mb_to_actor": array_to_actor,
    # Ray puts every large argument; here that is another item.
    "array_8mb_put_to_actor": array_to_actor,
}


def window(item, seconds):
    end = time.perf_counter() + seconds
    operations = 0
    took = 0.0
    while time.perf_counter() < end:
        if item.rest:
            time.sleep(item.rest)
        began = time.perf_counter()
        item.run()
        took += time.perf_counter() - began
        operations += item.operations
    return {"operations": operations, "seconds": took}


def say(answer):
    # Ray's own notes go to stdout too: lines of ours are marked.
    print("ray-comparison " + json.dumps(answer), flush=True)


def main():
    began = time.perf_counter()
    ray.init(num_cpus=int(sys.argv[1]), include_dashboard=False, logging_level="error")
    say({"version": ray.__version__, "upSeconds": time.perf_counter() - began})
    item = None
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "open":
            item = ITEMS[order["name"]]()
            say({})
        elif order["do"] == "wake":
            if not item.rest:
                item.run()
            say({})
        elif order["do"] == "window":
            say(window(item, order["seconds"]))
        else:
            item.close()
            say({})
    ray.shutdown()


main()
