import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of this process in memory once the garbage is collected: when that would happen by itself differs by version. */
export function residentMemory(): number {
  collect()
  return process.memoryUsage.rss()
}
