import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Returns the resident bytes of this process after a garbage collection, whose time otherwise differs by version. */
export function residentMemory(): number {
  collect()
  return process.memoryUsage.rss()
}
