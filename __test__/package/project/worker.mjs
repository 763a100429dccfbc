// The other thread of `use.mjs`.
import { parentPort, workerData } from 'node:worker_threads'
import { adopt } from 'framepool'

const slice = adopt(workerData)
parentPort.postMessage(Buffer.from(slice.bytes).toString())
slice.release()
