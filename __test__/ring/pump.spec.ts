import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FramePoolError, type PumpOptions, pump } from '../../index.js'
import { codeOfRejection } from '../support/code-of.js'
import { Descriptors, NONBLOCKING, readToEnd } from '../support/descriptors.js'
import { pattern } from '../support/pattern.js'
import { Random } from '../support/random.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MIB = 1 << 20

let files: Descriptors

beforeEach(() => {
  files = new Descriptors()
})

afterEach(() => files.dispose())

/** Returns the error that `promise` rejects with. */
async function rejection<T = FramePoolError>(promise: Promise<unknown>): Promise<T> {
  try {
    await promise
  } catch (error) {
    return error as T
  }
  throw new Error('it did not reject')
}

describe.skipIf(process.platform === 'win32')('pump', () => {
  it('copies files from their current positions', async () => {
    const random = new Random()
    for (const size of [undefined, 1, 4096, MIB, 16 * MIB]) {
      const bytes = random.bytes(size === 1 ? 1000 : random.below(5 * MIB))
      const from = files.file(bytes)
      const to = files.file()
      readSync(from.fd, Buffer.alloc(100))
      expect(await pump(from.fd, to.fd, size === undefined ? undefined : { size })).toBe(BigInt(bytes.length - 100))
      expect(readFileSync(to.path).equals(bytes.subarray(100)), random.origin).toBe(true)
    }
    expect(await pump(files.file().fd, files.file().fd)).toBe(0n)
  })

  it('reports progress, and once more at the end', async () => {
    const { reader, writer } = files.fifo()
    const to = files.file()
    const reports: bigint[] = []
    const pumping = pump(reader, to.fd, { onProgress: (bytes) => reports.push(bytes) })
    writeSync(writer, 'first')
    while (reports.length === 0) await setTimeout(10)
    writeSync(writer, 'second')
    while (reports.length === 1) await setTimeout(10)
    files.close(writer)
    expect(await pumping).toBe(11n)
    expect(reports).toEqual([5n, 11n, 11n])
    expect(readFileSync(to.path, 'utf8')).toBe('firstsecond')
  })

  it('moves bytes as they come', async () => {
    const [first, second] = [files.fifo(), files.fifo()]
    const pumping = pump(first.reader, second.writer)
    for (const text of ['one', 'two', 'three']) {
      writeSync(first.writer, text)
      const read = Buffer.alloc(10)
      expect(read.toString('utf8', 0, readSync(second.reader, read))).toBe(text)
    }
    files.close(first.writer)
    expect(await pumping).toBe(11n)
  })

  it('works on duplicates', async () => {
    const [first, second] = [files.fifo(), files.fifo(NONBLOCKING)]
    const pumping = pump(first.reader, second.writer)
    files.close(first.reader)
    files.close(second.writer)
    writeSync(first.writer, pattern(60_000))
    files.close(first.writer)
    expect((await readToEnd(second.reader)).equals(pattern(60_000))).toBe(true)
    expect(await pumping).toBe(60_000n)
  })

  it('copies between child processes', async () => {
    const bytes = pattern(3 * MIB)
    const [first, second, from, to] = [files.fifoPath(), files.fifoPath(), files.file(bytes), files.file()]
    const children = [
      spawn('sh', ['-c', 'cat "$1" > "$2"', 'sh', from.path, first]),
      spawn('sh', ['-c', 'cat "$1" > "$2"', 'sh', second, to.path]),
    ]
    const closed = children.map((child) => once(child, 'close'))
    // Each open waits until its child opens the other end.
    const [reader, writer] = [files.open(first, 'r'), files.open(second, 'w')]
    const pumping = pump(reader, writer)
    files.close(writer)
    expect(await pumping).toBe(BigInt(bytes.length))
    await Promise.all(closed)
    expect(readFileSync(to.path).equals(bytes)).toBe(true)
  })

  describe('stopped', () => {
    it('writes the bytes that were read, and reports their number', async () => {
      const bytes = pattern(8 * MIB)
      const { reader, writer } = files.fifo(NONBLOCKING)
      const controller = new AbortController()
      const reason = new Error('enough')
      const reports: bigint[] = []
      const onProgress = (so: bigint) => reports.push(so)
      const pumping = pump(files.file(bytes).fd, writer, { signal: controller.signal, onProgress })
      files.close(writer)
      const first = Buffer.alloc(1000)
      while (reports.length === 0) await setTimeout(10)
      const length = readSync(reader, first)
      controller.abort(reason)
      const failure = rejection<Error & { bytes: bigint }>(pumping)
      const read = Buffer.concat([first.subarray(0, length), await readToEnd(reader)])
      expect(await failure).toBe(reason)
      expect((await failure).bytes).toBe(BigInt(read.length))
      expect(reports.at(-1)).toBe(BigInt(read.length))
      expect(read.length).toBeLessThan(bytes.length)
      expect(read.equals(bytes.subarray(0, read.length))).toBe(true)
    })

    it('while it waits for bytes', async () => {
      const { reader } = files.fifo()
      const controller = new AbortController()
      const pumping = pump(reader, files.file().fd, { signal: controller.signal })
      controller.abort()
      expect(await rejection(pumping)).toMatchObject({ name: 'AbortError', bytes: 0n })
    })

    it('before it begins', async () => {
      const from = files.file('abc')
      const to = files.file()
      expect(await rejection(pump(from.fd, to.fd, { signal: AbortSignal.abort() }))).toMatchObject({
        name: 'AbortError',
        bytes: 0n,
      })
      expect(readFileSync(to.path).length).toBe(0)
    })

    it('by a reason that cannot carry the bytes', async () => {
      const used = AbortSignal.abort()
      const from = files.file('abc')
      const to = files.file()
      await rejection(pump(from.fd, to.fd, { signal: used }))
      const frozen = Object.freeze(new Error('frozen'))
      for (const signal of [used, AbortSignal.abort('text'), AbortSignal.abort(frozen)]) {
        const error = await rejection(pump(from.fd, to.fd, { signal }))
        expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', bytes: 0n })
        expect(error.cause).toBe(signal.reason)
      }
    })

    it('by an error of onProgress', async () => {
      const { reader, writer } = files.fifo()
      const reason = new Error('mine')
      let calls = 0
      const pumping = pump(reader, files.file().fd, {
        onProgress: () => {
          calls++
          throw reason
        },
      })
      writeSync(writer, 'abc')
      expect(await rejection(pumping)).toBe(reason)
      expect(calls).toBe(1)
      // The last call of `onProgress` may throw, too.
      const onProgress = () => {
        throw reason
      }
      expect(await rejection(pump(files.file('abc').fd, files.file().fd, { onProgress }))).toBe(reason)
    })
  })

  describe('refused', () => {
    it('a read error rejects after all bytes are written', async () => {
      const error = await rejection(pump(files.open(root, 'r'), files.file().fd))
      expect(error).toMatchObject({
        code: 'EISDIR',
        bytes: 0n,
        errno: -21,
        syscall: 'readv',
      })
    })

    it('a write error ends the reading', async () => {
      const [first, second] = [files.fifo(), files.fifo()]
      const pumping = pump(first.reader, second.writer)
      writeSync(first.writer, 'abc')
      expect(readSync(second.reader, Buffer.alloc(10))).toBe(3)
      files.close(second.reader)
      writeSync(first.writer, 'def')
      const error = await rejection(pumping)
      expect(error).toMatchObject({ code: 'EPIPE', bytes: 3n, syscall: 'writev', fd: second.writer })
    })

    it('invalid or unsuitable descriptors', async () => {
      const { fd } = files.file('abc')
      const { reader, writer } = files.fifo()
      for (const [from, to] of [
        [2 ** 31 - 1, fd],
        [fd, 2 ** 31 - 1],
        [writer, fd],
        [fd, reader],
      ] as [number, number][]) {
        expect((await rejection(pump(from, to))).code).toBe('EBADF')
      }
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const socket = (server as unknown as { _handle: { fd: number } })._handle.fd
      expect((await rejection(pump(socket, fd))).code).toBe('ENOTSUP')
      expect((await rejection(pump(fd, socket))).code).toBe('ENOTSUP')
      server.close()
    })

    it('wrong arguments', async () => {
      const { fd } = files.file('abc')
      const code = (from: unknown, to: unknown, options?: unknown) =>
        codeOfRejection(pump(from as number, to as number, options as PumpOptions))
      expect(await code('1', fd)).toBe('ERR_INVALID_ARG_TYPE')
      expect(await code(fd, null)).toBe('ERR_INVALID_ARG_TYPE')
      expect(await code(-1, fd)).toBe('ERR_OUT_OF_RANGE')
      expect(await code(fd, 0.5)).toBe('ERR_OUT_OF_RANGE')
      expect(await code(fd, fd, 1)).toBe('ERR_INVALID_ARG_TYPE')
      expect(await code(fd, fd, { signal: {} })).toBe('ERR_INVALID_ARG_TYPE')
      expect(await code(fd, fd, { onProgress: 1 })).toBe('ERR_INVALID_ARG_TYPE')
      for (const size of [0, 3, -4, 2 ** 31, 0.5]) expect(await code(fd, fd, { size })).toBe('ERR_OUT_OF_RANGE')
      expect(await code(fd, fd, { size: '4' })).toBe('ERR_INVALID_ARG_TYPE')
    })
  })

  it('keeps the process alive, and ends with its worker', () => {
    const program = `
      import { once } from 'node:events'
      import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
      import { setTimeout } from 'node:timers/promises'
      import { Worker } from 'node:worker_threads'
      import { pump } from 'framepool'
      const open = () => readdirSync('/proc/self/fd').length
      const fifos = process.argv.slice(1).map((path) => openSync(path, 'r+'))
      const zero = openSync('/dev/zero')
      // Node opens descriptors of its own with the first worker.
      await once(new Worker('', { eval: true }), 'exit')
      const before = open()
      for (let round = 0; round < 5; round++) {
        // One pump waits for bytes and one for room. A third is draining after an abort.
        const worker = new Worker(\`
          import { parentPort, workerData } from 'node:worker_threads'
          import { pump } from 'framepool'
          const [empty, full, zero] = workerData
          const controller = new AbortController()
          pump(empty, full)
          pump(zero, full)
          pump(zero, full, { signal: controller.signal })
          setTimeout(() => {
            controller.abort()
            parentPort.postMessage('pumping')
          }, 10)
        \`, { eval: true, workerData: [...fifos, zero], execArgv: ['--input-type=module'] })
        await once(worker, 'message')
        await worker.terminate()
      }
      // The threads close their descriptors after a while.
      while (open() > before) await setTimeout(1)
      console.log('nothing left')
      for (const fd of fifos) closeSync(fd)
      const [from, to] = [process.argv[1], process.argv[2]].map((path) => openSync(path, 'r+'))
      pump(from, to, { onProgress: () => process.exit(0) })
      writeSync(from, 'alive')
    `
    const command = ['--input-type=module', '-e', program, files.fifoPath(), files.fifoPath()]
    const printed = execFileSync(process.execPath, command, { cwd: root, encoding: 'utf8', timeout: 50_000 })
    expect(printed).toBe('nothing left\n')
  })
})

it('is not supported on Windows, and says so', async () => {
  const { platform } = process
  Object.defineProperty(process, 'platform', { value: 'win32' })
  try {
    expect(await rejection(pump(0, 1))).toMatchObject({ code: 'ENOTSUP', errno: -4049, syscall: 'readv' })
  } finally {
    Object.defineProperty(process, 'platform', { value: platform })
  }
})
