import { ReadableStream, type UnderlyingByteSource } from 'node:stream/web'

/**
 * Detaches the ArrayBuffer under `view` at once, as a byte stream does with its chunks. Resolves with the view that
 * then has the memory.
 */
export async function detachByStream(view: Uint8Array): Promise<Uint8Array> {
  const source: UnderlyingByteSource = { type: 'bytes', start: (controller) => controller.enqueue(view) }
  const { value } = await new ReadableStream(source).getReader().read()
  return value!
}
