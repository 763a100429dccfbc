// Uses streams over rings as hostile code can: it writes any value, and passes memory to read into.
import { Readable, Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

const uses = [
  [Readable, useReadable],
  [Writable, useWritable],
  [ReadableStream, useReadableStream],
  [WritableStream, useWritableStream],
]

/** Uses and closes `stream`, and calls `refused` with each error. Returns false if `stream` is not a stream. */
export function useStream(stream, values, refused) {
  const [, use] = uses.find(([Class]) => stream instanceof Class) ?? []
  use?.(stream, values, refused)
  return use !== undefined
}

async function useReadable(stream, values, refused) {
  // Does not keep the chunks: small ones lie in Node's own pool, which must not be detached.
  stream.on('error', refused).resume()
  await turn()
  if (values.flip()) stream.destroy(values.reason())
  else stream.destroy()
}

async function useWritable(stream, values, refused) {
  stream.on('error', refused)
  for (let count = 0; count < 3; count++) {
    try {
      stream.write(values.any(), values.any())
    } catch (error) {
      // Node refuses most values before the library sees them, and runs their code as it does.
      if (!(error instanceof TypeError || error instanceof RangeError)) refused(error)
    }
  }
  await turn()
  if (values.flip()) stream.end()
  else stream.destroy(values.reason())
  await turn()
  stream.destroy()
}

async function useReadableStream(stream, values, refused) {
  const byob = values.flip()
  const reader = stream.getReader(byob ? { mode: 'byob' } : {})
  for (let count = 0; count < 3; count++) {
    const read = byob ? reader.read(new Uint8Array(1 + count)) : reader.read()
    read.then(({ value }) => value && values.keepView(value), refused)
  }
  await turn()
  reader.cancel(values.reason()).catch(refused)
}

async function useWritableStream(stream, values, refused) {
  const writer = stream.getWriter()
  for (const ended of [writer.closed, writer.ready]) ended.catch(refused)
  for (let count = 0; count < 3; count++) writer.write(values.any()).catch(refused)
  await turn()
  const end = values.flip() ? writer.close() : writer.abort(values.reason())
  end.catch(refused)
  await turn()
  writer.abort(values.reason()).catch(refused)
}
