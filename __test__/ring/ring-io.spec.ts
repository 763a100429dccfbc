import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ByteRing, type Consumer, type Producer, type SystemError } from '../../index.js'
import { codeOf, codeOfRejection } from '../support/code-of.js'
import { Descriptors, NONBLOCKING, readToEnd, writeNow } from '../support/descriptors.js'
import { pattern } from '../support/pattern.js'
import { Random } from '../support/random.js'
import { pair } from '../support/sessions.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SIZE = 1 << 20

let files: Descriptors
let producer: Producer
let consumer: Consumer

beforeEach(() => {
  files = new Descriptors()
  ;({ producer, consumer } = new ByteRing(SIZE).intoParts())
})

afterEach(() => {
  producer.release()
  consumer.release()
  files.dispose()
})

/** Reads all bytes in the ring. */
function drain(): Buffer {
  const bytes = Buffer.alloc(consumer.available)
  consumer.read(bytes)
  return bytes
}

/** Returns the system's error code of a call that it refused. */
function refusal(call: () => unknown): { code: string; errno: number; syscall: string } {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    expect(error).toHaveProperty('fd')
    const { code, errno, syscall } = error as SystemError
    return { code, errno, syscall }
  }
  throw new Error('it was not refused')
}

const pipes = [
  { kind: 'blocking', flags: 0 },
  { kind: 'non-blocking', flags: NONBLOCKING },
]

describe.skipIf(process.platform === 'win32')('descriptors', () => {
  describe('at once', () => {
    it('reads and writes files at their current positions', () => {
      const bytes = pattern(3000)
      const { fd } = files.file(bytes)
      readSync(fd, Buffer.alloc(1000))
      expect(producer.readFrom(fd)).toBe(2000)
      expect(producer.readFrom(fd)).toBe(0)
      expect([producer.position, producer.available, consumer.available]).toEqual([2000n, SIZE - 2000, 2000])
      const to = files.file()
      writeSync(to.fd, bytes, 0, 1000)
      expect(consumer.writeTo(to.fd)).toBe(2000)
      expect(consumer.position).toBe(2000n)
      expect(readFileSync(to.path)).toEqual(bytes)
    })

    it('returns null when the ring is full or empty, and 0 when it stays so', () => {
      const { fd } = files.file('abc')
      expect(consumer.writeTo(fd)).toBe(null)
      producer.end()
      expect(consumer.writeTo(fd)).toBe(0)

      const other = new ByteRing(4).intoParts()
      other.producer.writeAll(Buffer.from('full'))
      expect(other.producer.readFrom(fd)).toBe(null)
      other.consumer.end()
      expect(other.producer.readFrom(fd)).toBe(0)
    })

    it('continues across the end of the ring', () => {
      const { producer, consumer } = new ByteRing(16).intoParts()
      const { fd } = files.file(pattern(40))
      const to = files.file()
      let read = 0
      while (read < 40) {
        read += producer.readFrom(fd) as number
        // The steps never add up to the end of the ring.
        const out = Math.min(11, consumer.available)
        consumer.ioSlices((bufs) => writeSync(to.fd, Buffer.concat(bufs), 0, out))
      }
      while (consumer.writeTo(to.fd) !== null);
      expect(readFileSync(to.path)).toEqual(pattern(40))
    })

    describe.each(pipes)('$kind FIFOs', ({ flags }) => {
      it('are never waited for', () => {
        const { reader, writer } = files.fifo(flags)
        expect(producer.readFrom(reader)).toBe(null)
        writeSync(writer, 'hello')
        expect(producer.readFrom(reader)).toBe(5)
        expect(drain().toString()).toBe('hello')

        producer.writeAll(pattern(SIZE))
        let written = 0
        for (;;) {
          const count = consumer.writeTo(writer)
          if (count === null) break
          written += count
        }
        expect(written).toBeGreaterThan(0)
        expect(consumer.available).toBe(SIZE - written)
        drain()
        expect(producer.readFrom(reader)).toBe(written)
        expect(drain()).toEqual(pattern(written))
        files.close(writer)
        expect(producer.readFrom(reader)).toBe(0)
      })

      it('break', () => {
        const { reader, writer } = files.fifo(flags)
        files.close(reader)
        producer.writeAll(Buffer.from('abc'))
        expect(refusal(() => consumer.writeTo(writer))).toEqual({ code: 'EPIPE', errno: -32, syscall: 'writev' })
        expect(drain().toString()).toBe('abc')
      })
    })

    it('reports errors of the system, and changes nothing', () => {
      const { reader, writer } = files.fifo()
      producer.writeAll(Buffer.from('abc'))
      expect(refusal(() => producer.readFrom(writer))?.code).toBe('EBADF')
      expect(refusal(() => consumer.writeTo(reader))?.code).toBe('EBADF')
      expect(refusal(() => producer.readFrom(2 ** 31 - 1))?.code).toBe('EBADF')
      expect(refusal(() => producer.readFrom(files.open(root, 'r')))).toMatchObject({
        code: 'EISDIR',
        syscall: 'readv',
      })
      expect([producer.position, drain().toString()]).toEqual([3n, 'abc'])
    })

    it('refuses sockets', async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle
      producer.writeAll(Buffer.from('abc'))
      expect(refusal(() => producer.readFrom(fd))?.code).toBe('ENOTSUP')
      expect(refusal(() => consumer.writeTo(fd))?.code).toBe('ENOTSUP')
      await expect(producer.readFromAsync(fd)).rejects.toThrow(/socket/)
      server.close()
    })

    it('checks its argument', async () => {
      for (const fd of ['1', null, undefined, 1n, {}] as unknown as number[]) {
        expect(codeOf(() => producer.readFrom(fd))).toBe('ERR_INVALID_ARG_TYPE')
        expect(codeOf(() => consumer.writeTo(fd))).toBe('ERR_INVALID_ARG_TYPE')
        expect(await codeOfRejection(producer.readFromAsync(fd))).toBe('ERR_INVALID_ARG_TYPE')
      }
      for (const fd of [-1, 0.5, Number.NaN, 2 ** 31, 2 ** 32, Number.POSITIVE_INFINITY]) {
        expect(codeOf(() => producer.readFrom(fd))).toBe('ERR_OUT_OF_RANGE')
        expect(codeOf(() => consumer.writeTo(fd))).toBe('ERR_OUT_OF_RANGE')
        expect(await codeOfRejection(consumer.writeToAsync(fd))).toBe('ERR_OUT_OF_RANGE')
      }
    })

    it('checks the half', async () => {
      const { fd } = files.file('abc')
      producer.ioSlices(() => {
        expect(codeOf(() => producer.readFrom(fd))).toBe('ERR_BUSY')
        return 0
      })
      producer.end()
      expect(codeOf(() => producer.readFrom(fd))).toBe('ERR_CLOSED')
      expect(await codeOfRejection(producer.readFromAsync(fd))).toBe('ERR_CLOSED')
      consumer.release()
      expect(codeOf(() => consumer.writeTo(fd))).toBe('ERR_RELEASED')
      expect(await codeOfRejection(consumer.writeToAsync(fd))).toBe('ERR_RELEASED')
    })
  })

  describe('once the descriptor is ready', () => {
    it.each(pipes)('reads bytes from a $kind FIFO', async ({ flags }) => {
      const { reader, writer } = files.fifo(flags)
      const reading = producer.readFromAsync(reader)
      await setTimeout(10)
      writeSync(writer, 'hello')
      expect(await reading).toBe(5)
      expect([producer.position, producer.available]).toEqual([5n, SIZE - 5])
      expect(drain().toString()).toBe('hello')
      const last = producer.readFromAsync(reader)
      files.close(writer)
      expect(await last).toBe(0)
    })

    it.each(pipes)('writes into a $kind FIFO when there is room', async ({ flags }) => {
      const { reader, writer } = files.fifo(flags)
      producer.writeAll(pattern(SIZE))
      const into = new ByteRing(2 * SIZE).intoParts()
      const reading = (async () => {
        while ((await into.producer.readFromAsync(reader)) > 0);
      })()
      let written = 0
      while (written < SIZE) written += await consumer.writeToAsync(writer)
      files.close(writer)
      await reading
      const read = Buffer.alloc(SIZE)
      expect(into.consumer.read(read)).toBe(SIZE)
      expect(read.equals(pattern(SIZE))).toBe(true)
    })

    it('reads and writes files', async () => {
      const bytes = pattern(100_000)
      const to = files.file()
      expect(await producer.readFromAsync(files.file(bytes).fd)).toBe(100_000)
      expect(await consumer.writeToAsync(to.fd)).toBe(100_000)
      expect(readFileSync(to.path).equals(bytes)).toBe(true)
    })

    it('both halves at once, independently', async () => {
      const random = new Random()
      const bytes = random.bytes(300_000)
      const { producer, consumer } = new ByteRing(1 << 12).intoParts()
      const [first, second] = [files.fifo(NONBLOCKING), files.fifo(NONBLOCKING)]
      const writing = (async () => {
        for (let at = 0; at < bytes.length; await setTimeout(random.below(2))) {
          at += writeNow(first.writer, bytes.subarray(at, at + random.below(5000) + 1))
        }
        files.close(first.writer)
      })()
      const reading = (async () => {
        while ((await producer.readFromAsync(first.reader)) > 0)
          expect(consumer.position).toBeLessThanOrEqual(producer.position)
        producer.end()
      })()
      const passing = (async () => {
        while ((await consumer.writeToAsync(second.writer)) > 0);
        files.close(second.writer)
      })()
      const read = await readToEnd(second.reader)
      await Promise.all([writing, reading, passing])
      expect(read.equals(bytes), random.origin).toBe(true)
    })

    it('waits for the other half first', async () => {
      const { producer, consumer } = new ByteRing(4).intoParts()
      producer.writeAll(Buffer.from('full'))
      const { fd } = files.file('abc')
      const reading = producer.readFromAsync(fd)
      await setTimeout(10)
      consumer.read(Buffer.alloc(2))
      expect(await reading).toBe(2)
      consumer.read(Buffer.alloc(4))
      const to = files.file()
      const writing = consumer.writeToAsync(to.fd)
      await setTimeout(10)
      producer.writeAll(Buffer.from('xyz'))
      expect(await writing).toBe(3)
      const last = consumer.writeToAsync(to.fd)
      producer.end()
      expect(await last).toBe(0)
    })

    it('continues when the descriptor is closed meanwhile', async () => {
      const { reader, writer } = files.fifo()
      const reading = producer.readFromAsync(reader)
      files.close(reader)
      writeSync(writer, 'late')
      expect(await reading).toBe(4)
      expect(drain().toString()).toBe('late')
    })

    it('keeps the half busy', async () => {
      const { reader, writer } = files.fifo()
      const reading = producer.readFromAsync(reader)
      const bytes = Buffer.from('x')
      for (const use of [
        () => producer.write(bytes),
        () => producer.writeAll(bytes),
        () => producer.ioSlices(() => 0),
        () => producer.readFrom(reader),
        () => producer.available,
        () => producer.writableSync(1, { timeoutMs: 0 }),
        () => producer.end(),
        () => producer.release(),
        () => producer.onread(),
      ]) {
        expect(codeOf(use)).toBe('ERR_BUSY')
      }
      expect(await codeOfRejection(producer.readFromAsync(reader))).toBe('ERR_BUSY')
      expect(await codeOfRejection(producer.writable())).toBe('ERR_BUSY')
      expect(consumer.available).toBe(0)
      writeSync(writer, 'abc')
      expect(await reading).toBe(3)
      expect(consumer.available).toBe(3)
      expect(producer.write(bytes)).toBe(1)
      expect(drain().toString()).toBe('abcx')
    })

    it('an abort rejects with the reason once the half is free', async () => {
      const { reader, writer } = files.fifo()
      const controller = new AbortController()
      const reason = new Error('enough')
      const reading = producer.readFromAsync(reader, { signal: controller.signal })
      controller.abort(reason)
      await expect(reading).rejects.toBe(reason)
      expect(producer.write(Buffer.from('mine'))).toBe(4)
      writeSync(writer, 'theirs')
      expect(await producer.readFromAsync(reader)).toBe(6)
      expect(drain().toString()).toBe('minetheirs')
      await expect(producer.readFromAsync(reader, { signal: controller.signal })).rejects.toBe(reason)
      expect(producer.available).toBe(SIZE)
    })

    it('a timeout rejects once the half is free', async () => {
      const { reader } = files.fifo()
      expect(await codeOfRejection(producer.readFromAsync(reader, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT')
      expect(await codeOfRejection(consumer.writeToAsync(reader, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT')
      expect([producer.available, consumer.available]).toEqual([SIZE, 0])
    })

    it('no byte is lost when an abort comes with it', async () => {
      const random = new Random()
      const { reader, writer } = files.fifo()
      for (let round = 0; round < 300; round++) {
        const controller = new AbortController()
        const reading = producer.readFromAsync(reader, { signal: controller.signal })
        writeSync(writer, `${round % 10}`)
        if (random.below(2) === 0) await setTimeout(0)
        controller.abort()
        const read = await reading.catch(() => producer.readFromAsync(reader))
        expect(read, random.origin).toBe(1)
        expect(drain().toString(), random.origin).toBe(`${round % 10}`)
      }
    })

    it('rejects with the system error, and frees the half', async () => {
      await expect(producer.readFromAsync(files.open(root, 'r'))).rejects.toMatchObject({
        code: 'EISDIR',
        errno: -21,
        syscall: 'readv',
      })
      expect(await codeOfRejection(producer.readFromAsync(2 ** 31 - 1))).toBe('EBADF')
      const { reader, writer } = files.fifo()
      files.close(reader)
      producer.writeAll(Buffer.from('abc'))
      await expect(consumer.writeToAsync(writer)).rejects.toMatchObject({ code: 'EPIPE', syscall: 'writev' })
      expect(drain().toString()).toBe('abc')
    })

    it('checks its options', async () => {
      const { reader } = files.fifo()
      const wrong = { signal: 'now' } as unknown as { signal: AbortSignal }
      expect(await codeOfRejection(producer.readFromAsync(reader, wrong))).toBe('ERR_INVALID_ARG_TYPE')
      expect(await codeOfRejection(producer.readFromAsync(reader, { timeoutMs: -1 }))).toBe('ERR_OUT_OF_RANGE')
      expect(producer.available).toBe(SIZE)
    })
  })

  describe("a session's output", () => {
    it('is written at once, and refilled', () => {
      const { responder } = pair({ outputSize: 4096 })
      const to = files.file()
      for (let index = 0; index < 10; index++) responder.send({ messageType: 1 }, pattern(1000))
      const pending: number = responder.output.available
      expect(pending).toBe(4096)
      let written = 0
      for (;;) {
        const count = responder.output.writeTo(to.fd)
        if (count === null) break
        written += count
      }
      expect(written).toBeGreaterThan(10_000)
      expect(responder.output.position).toBeGreaterThanOrEqual(BigInt(written))
      expect(readFileSync(to.path).length).toBe(written)
    })

    it('is written when the descriptor is ready', async () => {
      const { initiator, responder } = pair({ outputSize: 4096 })
      const { reader, writer } = files.fifo(NONBLOCKING)
      const writing = responder.output.writeToAsync(writer)
      expect(codeOf(() => responder.output.read(Buffer.alloc(1)))).toBe('ERR_BUSY')
      responder.send({ messageType: 7 }, pattern(1000))
      const written = await writing
      const received = Buffer.alloc(written)
      expect(readSync(reader, received)).toBe(written)
      expect([...initiator.receive(received)].map((frame) => frame.messageType)).toEqual([7])

      // The output exceeds the pipe, so the write waits for the reader.
      while (responder.send({ messageType: 8 }, pattern(100_000)));
      let count: number | null
      do count = responder.output.writeTo(writer)
      while (count !== null)
      expect(await codeOfRejection(responder.output.writeToAsync(writer, { timeoutMs: 5 }))).toBe('ERR_TIMEOUT')
      const later = responder.output.writeToAsync(writer)
      readSync(reader, Buffer.alloc(65536))
      expect(await later).toBeGreaterThan(0)
    })

    it('ends with its session', async () => {
      const { responder } = pair()
      const writing = responder.output.writeToAsync(files.file().fd)
      responder.close()
      expect(await writing).toBe(0)
    })
  })

  /** Runs a program in a separate process and returns its output. */
  function run(program: string, ...args: string[]): string {
    const command = ['--input-type=module', '-e', program, ...args]
    return execFileSync(process.execPath, command, { cwd: root, encoding: 'utf8', timeout: 50_000 })
  }

  const ECHO = `
    import { ByteRing } from 'framepool'
    const { producer, consumer } = new ByteRing(1 << 16).intoParts()
    const reading = (async () => {
      while ((await producer.readFromAsync(0)) > 0);
      producer.end()
    })()
    while ((await consumer.writeToAsync(1)) > 0);
    await reading
  `

  it('standard input and output, through pipes of the shell', () => {
    const bytes = pattern(500_000)
    const { path } = files.file(bytes)
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', 'cat "$1" | "$2" --input-type=module -e "$3" | cat', 'sh', path, process.execPath, ECHO],
      { cwd: root, maxBuffer: 1 << 20 },
    )
    expect(stderr.toString()).toBe('')
    expect(stdout.equals(bytes)).toBe(true)
  })

  const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0

  it.skipIf(!hasPython)('a terminal', () => {
    const program = `
      import { ByteRing } from 'framepool'
      const { producer, consumer } = new ByteRing(1 << 16).intoParts()
      producer.writeAll(Buffer.from(JSON.stringify(producer.readFrom(0)) + ' ready '))
      await consumer.writeToAsync(1)
      await producer.readFromAsync(0)
      await consumer.writeToAsync(1)
    `
    const driver = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
written = b''
while b'ready' not in written: written += os.read(terminal, 1000)
os.write(terminal, b'typed\\n')
try:
    while True: written += os.read(terminal, 1000)
except OSError: pass
sys.stdout.buffer.write(written)
`
    const args = ['-c', driver, process.execPath, '--input-type=module', '-e', program]
    const written = execFileSync('python3', args, { cwd: root, encoding: 'utf8' })
    // The terminal and the program each echo the input.
    expect(written).toBe('null ready typed\r\ntyped\r\n')
  })

  it('a waiting operation keeps the process alive', async () => {
    const path = files.fifoPath()
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `
          import { openSync } from 'node:fs'
          import { ByteRing } from 'framepool'
          const { producer } = new ByteRing(16).intoParts()
          const reading = producer.readFromAsync(openSync(process.argv[1], 'r+'))
          console.log('waiting')
          console.log(await reading)
        `,
        path,
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    child.stdout.setEncoding('utf8')
    const [first] = await once(child.stdout, 'data')
    expect(first).toBe('waiting\n')
    writeSync(files.open(path, 'w'), 'abc')
    const [second] = await once(child.stdout, 'data')
    expect(second).toBe('3\n')
    await once(child, 'close')
  })

  it('a waiting worker can be terminated, and leaves nothing open', () => {
    const program = `
      import { once } from 'node:events'
      import { openSync, readdirSync } from 'node:fs'
      import { setTimeout } from 'node:timers/promises'
      import { Worker } from 'node:worker_threads'
      import { ByteRing } from 'framepool'
      const open = () => readdirSync('/proc/self/fd').length
      const fd = openSync(process.argv[1], 'r+')
      // Node opens descriptors of its own with the first worker, and the poller with the first operation.
      await once(new Worker('', { eval: true }), 'exit')
      const { producer } = new ByteRing(16).intoParts()
      await producer.readFromAsync(openSync('/dev/zero'))
      const before = open()
      for (let round = 0; round < 5; round++) {
        const worker = new Worker(\`
          import { parentPort, workerData } from 'node:worker_threads'
          import { ByteRing } from 'framepool'
          const { producer, consumer } = new ByteRing(16).intoParts()
          const view = consumer.ioSlices((bufs) => (globalThis.kept = bufs, 0))
          producer.readFromAsync(workerData)
          consumer.writeToAsync(workerData)
          parentPort.postMessage('waiting')
        \`, { eval: true, workerData: fd, execArgv: ['--input-type=module'] })
        await once(worker, 'message')
        await worker.terminate()
      }
      // The poller closes its duplicates after a while.
      while (open() > before) await setTimeout(1)
      console.log('nothing left')
    `
    expect(run(program, files.fifoPath())).toBe('nothing left\n')
  })
})

it('is not supported on Windows, and says so', () => {
  const { platform } = process
  Object.defineProperty(process, 'platform', { value: 'win32' })
  try {
    expect(refusal(() => producer.readFrom(0))).toEqual({ code: 'ENOTSUP', errno: -4049, syscall: 'readv' })
    expect(refusal(() => consumer.writeTo(1))).toEqual({ code: 'ENOTSUP', errno: -4049, syscall: 'writev' })
  } finally {
    Object.defineProperty(process, 'platform', { value: platform })
  }
})
