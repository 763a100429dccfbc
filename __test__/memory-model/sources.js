// Bytes to pass to calls, in all kinds of memory, including the library's own.
import { bufferOf } from './intrinsics.js'

/** Returns bytes to write. `honest` is false if the bytes that a call will see cannot be predicted. */
export function source(world, length) {
  const { random, witness } = world
  const bytes = new Uint8Array(length).map(() => random.below(256))
  const extended = { maxByteLength: length + 64 }
  const { any } = witness
  switch (random.below(12)) {
    case 0:
      return { bytes: shared(new SharedArrayBuffer(length), bytes), honest: true }
    case 1:
      return { bytes: shared(new SharedArrayBuffer(length, extended), bytes), honest: true }
    case 2: {
      const buffer = new ArrayBuffer(length, extended)
      const view = shared(buffer, bytes)
      buffer.resize(random.below(length + 64))
      return { bytes: view, honest: true }
    }
    case 3:
    case 4:
      // Memory that the library has shown before, and may have taken back.
      return { bytes: any === null ? bytes : any, honest: any === null }
    case 5: {
      world.tamper(bytes, () => world.act())
      return { bytes, honest: false }
    }
    case 6: {
      Object.defineProperty(bytes, 'buffer', {
        get: () => {
          world.interfere()
          return bufferOf(bytes)
        },
      })
      return { bytes, honest: false }
    }
    case 7:
      return { bytes: new Proxy(bytes, {}), honest: false }
    default:
      return { bytes, honest: true }
  }
}

function shared(buffer, bytes) {
  const view = new Uint8Array(buffer)
  view.set(bytes)
  return view
}

/** Returns a size: 0, 1, odd sizes, pages, or more than a pool holds. */
export function size(random, most = 20_000) {
  const kind = random.below(10)
  if (kind === 0) return 0
  if (kind === 1) return 1
  if (kind === 2) return Math.min(most, 4096)
  if (kind < 7) return random.below(Math.min(most, 300))
  return random.below(most)
}
