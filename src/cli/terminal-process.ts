// The process of `Terminals`: writes each text that it gets to a descriptor, and says so when it is written.
import { writeAll } from './streams.js'

// A Ctrl-C is meant for the parent. When that ends, the channel closes, and this process ends, too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.on('message', async ([descriptor, text]: [number, string]) => {
  try {
    await writeAll(descriptor, text)
    process.send?.(descriptor)
  } catch {
    process.exit(1)
  }
})
