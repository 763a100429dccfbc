import { ReadableStream, type UnderlyingByteSource } from 'node:stream/web'

/**
 * Detaches the ArrayBuffer under `view` at once, as a byte stream does with whatever it is given; resolves with the view
 * that has the memory then.
 */
export async function detachByStream(view: Uint8Array): Promise<Uint8Array> {
  const source: UnderlyingByteSource = { type: 'bytes', start: (controller) => controller.enqueue(view) }
  const { value } = await new ReadableStream(source).getReader().read()
  return value!
}
