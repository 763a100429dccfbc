// A relay in a process of its own, for the benchmark of its CPU time: usage `relay-cpu-process.js <options in JSON>`. The option `hook` has
// every frame go to JavaScript. It tells its port.
import { createRelay, type RelayOptions } from '../src/sv2/index.js'

const { hook, ...options } = JSON.parse(process.argv[2] as string) as RelayOptions & { hook?: boolean }
const relay = createRelay({ ...options, ...(hook && { onFrame: () => 'forward' as const }) })
const { port } = await relay.listen()
process.send?.(port)
