import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Starts a worker that runs `source`, an ES module, and waits for its message `ready`. */
export async function startWorker(source: string, workerData: unknown): Promise<Worker> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData })
  await once(worker, 'message')
  return worker
}
