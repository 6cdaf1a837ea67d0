package main

const usage = `Solves a travelling-salesman problem with Machinery tasks that take and return Go types.

usage: example_app [command] [flags]

  demo     solves a problem with workers in this process; so does no command at all
  worker   runs tasks that others send, until it is interrupted
  send     has workers elsewhere solve a problem
  keyset   writes a new key, for -keyset, to standard output
  help     writes this; the flags of a command are listed by example_app command -h

flags of demo, all of them optional:

` + brokerUsage + `                    or embedded, a Redis inside this process (the default).
                    Given more than once, the problem is solved on one after another
` + backendUsage + problemUsage + `  -workers n        how many workers (2)
  -concurrency n    how many tasks a worker runs at once (2)
  -encrypt          envelopes travel encrypted, by a new key or that of -keyset
  -keyset file      a Tink AEAD keyset as JSON; "example_app keyset" makes one
` + inspectUsage + `                    It stays after the result, until Ctrl-C
`

const sendUsage = `Has workers elsewhere solve a problem, and awaits the result.

usage: example_app send -broker url [flags]

` + brokerUsage + `                    Given more than once, the problem is solved on one after another
` + backendUsage + queueUsage + problemUsage + keysetUsage

const workerUsage = `Runs tasks that others send. SIGINT or SIGTERM ends it when the tasks that it is running have ended.

usage: example_app worker -broker url [flags]

` + brokerUsage + backendUsage + queueUsage + `  -concurrency n    how many tasks it runs at once (2)
  -name name        what it is called in results (worker- and the name of the host)
` + keysetUsage + inspectUsage

const inspectUsage = `  -inspect address  serves a page of what is in the queues, such as :8080, to this machine
                    alone, and metrics for Prometheus at /metrics
  -inspect-read-only
                    serves the page to everybody who reaches it, and lets nobody act
`

const keysetUsage = `  -keyset file      envelopes travel encrypted by this Tink AEAD keyset, as JSON, which
                    sender and workers share; "example_app keyset" makes one
`

const brokerUsage = `  -broker url       redis://host:port/database, amqp://user:password@host:port/vhost
`

const backendUsage = `  -backend url      where results are kept, an address like the broker's (the broker)
`

const queueUsage = `  -queue name       where sender and workers meet (` + sharedQueue + `)
`

const problemUsage = `  -problem file     a TSPLIB file with coordinates of EDGE_WEIGHT_TYPE EUC_2D
                    (berlin52, which is built in)
  -cities n         a random problem of so many cities instead
  -seed n           the seed of that problem, and of strategies that throw dice (1)
  -tasks n          how many tasks look for a tour (64)
  -svg file         draws the best tour
  -show-wire        shows what the tasks carry; results, too, unless RabbitMQ keeps them
  -timeout d        how long to wait for the result (10m)
`

const newKeysetUsage = `Writes a new Tink AEAD keyset as JSON to standard output. It is a secret, in clear text.

usage: example_app keyset > file
`
