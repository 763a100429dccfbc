import { SlotPool, SystemMemoryBuffer } from '../index.js'
import { bufferContract } from './contract.js'

bufferContract('SystemMemoryBuffer', () => new SystemMemoryBuffer())
for (const capacity of [0, 1, 8, 64, 4096, 2 ** 21]) {
  bufferContract(`SlotPool of ${capacity} bytes`, () => new SlotPool(capacity))
}
