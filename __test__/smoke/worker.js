import { parentPort } from 'node:worker_threads'
import { BudgetPool, Slice, SlotPool } from 'framepool'

const pool = new SlotPool(1 << 20)
pool.getWritable(1000).fill(1)
globalThis.held = [pool.getDataOwned(), Slice.from(new Uint8Array(100)), pool.getWritable(2 << 20)]
const budget = new BudgetPool({ bufferSize: 1024, maxMemory: 4096 })
globalThis.all = budget.tryAllocate(4)
void budget.allocate(1)
parentPort.postMessage(pool.toString())
