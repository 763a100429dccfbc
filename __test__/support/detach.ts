/**
 * Detaches the ArrayBuffer under `view` at once, as a byte stream does with whatever it is given; resolves with the view
 * that has the memory then.
 */
export function detachByStream(view: Uint8Array): Promise<Uint8Array | undefined> {
  const stream = new ReadableStream<Uint8Array>({
    type: 'bytes',
    start(controller) {
      controller.enqueue(view)
    },
  })
  return stream
    .getReader()
    .read()
    .then(({ value }) => value)
}
