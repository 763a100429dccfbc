/**
 * Runs `call`, and resolves with what it resolves with. Meanwhile no Uint8Array can be made but by Node, as if there were no memory for it:
 * trying throws an error with the message `mine`.
 */
export async function withoutUint8Arrays<T>(call: () => Promise<T>): Promise<T> {
  const own = globalThis.Uint8Array
  globalThis.Uint8Array = class extends own {
    constructor() {
      super()
      throw new Error('mine')
    }
  } as Uint8ArrayConstructor
  try {
    return await call()
  } finally {
    globalThis.Uint8Array = own
  }
}
