// Bytes to give to calls: of all kinds of memory, the library's own included.
import { bufferOf } from './intrinsics.js'

/** `honest` is false where what is written cannot be told beforehand. */
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
      // What the library has shown before, and maybe taken back.
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

/** 0, 1, odd ones, pages, and beyond what a pool holds. */
export function size(random, most = 20_000) {
  const kind = random.below(10)
  if (kind === 0) return 0
  if (kind === 1) return 1
  if (kind === 2) return Math.min(most, 4096)
  if (kind < 7) return random.below(Math.min(most, 300))
  return random.below(most)
}
