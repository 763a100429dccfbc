import type { ReadableOptions, WritableOptions } from 'node:stream'

import { booleanArgument, integerArgument, signalArgument, stringArgument } from '../../support/arguments.js'
import { outOfRange } from '../../support/errors.js'

/** Options of `Consumer.toReadable()`: those of Node's `Readable` that suit a stream of bytes from a ring. */
export type RingReadableOptions = Pick<ReadableOptions, 'highWaterMark' | 'encoding' | 'emitClose' | 'signal'>

/** Options of `Producer.toWritable()`: those of Node's `Writable` that suit a stream of bytes into a ring. */
export type RingWritableOptions = Pick<
  WritableOptions,
  'highWaterMark' | 'decodeStrings' | 'defaultEncoding' | 'emitClose' | 'signal'
>

type StreamOptions = RingReadableOptions & RingWritableOptions

/** Returns a checked copy of a stream's options, or throws the documented error: Node would throw errors of its own. */
export function streamOptions(options: StreamOptions): StreamOptions {
  const { highWaterMark, encoding, defaultEncoding, decodeStrings, emitClose, signal } = options
  if (highWaterMark !== undefined) integerArgument(highWaterMark, 'highWaterMark', 0, Number.MAX_SAFE_INTEGER)
  if (encoding !== undefined) encodingArgument(encoding, 'encoding')
  if (defaultEncoding !== undefined) encodingArgument(defaultEncoding, 'defaultEncoding')
  if (decodeStrings !== undefined) booleanArgument(decodeStrings, 'decodeStrings')
  if (emitClose !== undefined) booleanArgument(emitClose, 'emitClose')
  signalArgument(signal)
  return { highWaterMark, encoding, defaultEncoding, decodeStrings, emitClose, signal }
}

function encodingArgument(value: unknown, name: string): void {
  if (!Buffer.isEncoding(stringArgument(value, name))) throw outOfRange(`${name} must be an encoding that Node knows`)
}
