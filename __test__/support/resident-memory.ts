import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
/** Collects all garbage. */
export const collectGarbage = runInNewContext('gc') as () => void

/** Returns the resident bytes of this process after a garbage collection, whose time otherwise differs by version. */
export function residentMemory(): number {
  collectGarbage()
  return process.memoryUsage.rss()
}
