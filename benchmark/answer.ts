import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Returns the next message of a child process. Rejects if the process ends without one: nobody could wait for it in vain. */
export async function answerOf<T>(child: ChildProcess): Promise<T> {
  const stop = new AbortController()
  const { signal } = stop
  const ended = async (): Promise<never> => {
    const [code, why] = await once(child, 'exit', { signal })
    throw new Error(`a process of the benchmark ended with ${code ?? why}`)
  }
  try {
    return (await Promise.race([once(child, 'message', { signal }), ended()]))[0] as T
  } finally {
    stop.abort()
  }
}
