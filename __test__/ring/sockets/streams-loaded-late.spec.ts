import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const framepool = JSON.stringify(new URL('../../../dist/index.js', import.meta.url))

/** Runs a program in a process of its own, and returns what it prints. */
function run(source: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' }).trim()
}

describe('classes of Node that are loaded late', () => {
  it('stay those that were met first when a script replaces them', () => {
    const printed = run(`
      import net from 'node:net'
      import { Duplex } from 'node:stream'
      import { ByteRing } from ${framepool}
      const server = net.createServer((socket) => socket.resume()).listen(0, '127.0.0.1', async () => {
        const pipe = async () => {
          const { producer, consumer } = new ByteRing(64).intoParts()
          producer.writeAll(new Uint8Array(60))
          producer.end()
          await consumer.pipeTo(net.connect(server.address().port, '127.0.0.1'))
        }
        await pipe()
        net.Socket = class extends net.Socket {}
        Duplex.prototype.cork = Duplex.prototype.uncork = () => { throw new Error('replaced') }
        await pipe()
        console.log('both went')
        process.exit()
      })`)
    expect(printed).toBe('both went')
  })

  it('know the thread', () => {
    const printed = run(`
      import { Worker } from 'node:worker_threads'
      import { ByteRing, inspect } from ${framepool}
      globalThis.kept = new ByteRing(64).intoParts()
      const source = \`import { parentPort, threadId } from 'node:worker_threads'
        import { ByteRing, inspect } from ${framepool}
        globalThis.kept = new ByteRing(64).intoParts()
        parentPort.postMessage([threadId, [...new Set(inspect().map((object) => object.owner))].sort().join()])\`
      new Worker(new URL('data:text/javascript,' + encodeURIComponent(source))).on('message', ([id, all]) => {
        console.log(id, all)
        process.exit()
      })`)
    expect(printed).toMatch(/^([1-9]\d*) 0,\1$/)
  })
})
