import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A worker that runs `source`, an ES module, and has said `ready`. */
export async function startWorker(source: string, workerData: unknown): Promise<Worker> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData })
  await once(worker, 'message')
  return worker
}
