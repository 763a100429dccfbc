import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Sv2Session } from '../src/sv2/index.js'
import { SetupConnectionSuccess } from '../src/sv2/messages/index.js'
import { authority } from './support/sessions.js'

const examples = fileURLToPath(new URL('../examples/', import.meta.url))

const FILLING = `--------  BACK MODE
1-------  BACK MODE
12------  BACK MODE
123-----  BACK MODE
1234----  BACK MODE
12345---  BACK MODE
123456--  BACK MODE
1234567-  BACK MODE
12345678  BACK MODE (buffer is now full)`

const printed: Record<string, string> = {
  'basic.js': `
--------  BACK MODE  12 bytes written
by reference: Ciao…, still 12 bytes
1-------  BACK MODE  slot 1 holds "Ciao, mundo!", 0 bytes written
--------  BACK MODE  released
`,
  'cases.js': `
Case 1: buffer pool exhaustion
${FILLING}
12345678  ALLOC MODE (new bytes being allocated in a new space in the heap)
12345678  ALLOC MODE (new bytes being allocated in a new space in the heap)

Case 2: buffer pool reset to remain in back mode
${FILLING}
--------  RESET
9-------  BACK MODE
9a------  BACK MODE

Case 3: buffer pool switches from back to front to back modes
${FILLING}
--345678  Consume first two data bytes from the buffer
9-345678  SWITCH TO FRONT MODE
9a345678  FRONT MODE (buffer is now full)
9a3456--  Consume last two data bytes from the buffer
9a3456b-  SWITCH TO BACK MODE
9a3456bc  BACK MODE (buffer is now full)
`,
  'copy.js': `
67108864 bytes copied
`,
  'exhaustion.js': `
--------  BACK MODE
1-------  BACK MODE  add "a"
12------  BACK MODE  add "a"
123-----  BACK MODE  add "a"
1234----  BACK MODE  add "a"
-234----  BACK MODE  release the first
-2345---  BACK MODE  add "b"
-23456--  BACK MODE  add "c"
-234567-  BACK MODE  add "c"
-2345678  BACK MODE  add "c"
92345678  FRONT MODE  add "c"
92345678  ALLOC MODE  add "d"
the last one is on the heap
`,
  'framed-echo.js': `
Ciao, mundo!
`,
  'framed-proxy.js': `
one
three
`,
  'framed-server.js': `
Ciao, mundo!
0 bytes are held
`,
  'line-server.js': `
{"id":1,"result":[[["mining.notify","1"]],"abcd",4],"error":null}
{"id":2,"result":true,"error":null}
{"id":3,"result":null,"error":[20,"no method mining.dance",null]}
`,
  'sv2-filter-proxy.js': `
alice: 3 accepted, 0 refused
mallory: 0 accepted, 3 refused
mallory: 0 accepted, 3 refused
bob: 3 accepted, 0 refused
the mining pool knows farm.alice, farm.mallory, farm.mallory, farm.bob
the proxy counted alice 3, bob 3
`,
  'sv2-pool.js': `
accepted
accepted
difficulty-too-low
duplicate-share
`,
  'sv2-probe.js': `
the handshake is done: the server has the key
SetupConnectionSuccess usedVersion=2 flags=0
`,
  'tcp-relay.js': `
the echo: Ciao, mundo!
12 bytes there, 12 bytes back
`,
  'threads.js': `
1-------  BACK MODE  the slice is under way
--------  BACK MODE  the worker has read "Ciao, mundo!" and released it
1 waits for the budget
the worker got 2048 bytes of it
920 bytes came through a ring of 64
`,
  'variable-sized-messages.js': `
1-------  BACK MODE   5 bytes in slot 1: Hello
12------  BACK MODE  16 bytes in slot 2: JavaScript, Rust
12------  ALLOC MODE  21 bytes on the heap: one more than is left
123-----  BACK MODE   9 bytes in slot 3: this fits
123-----  BACK MODE  44 bytes on the heap: longer than the pool, whatever is free in it
--------  BACK MODE  all released
4-------  BACK MODE   2 bytes in slot 1: Hi
2 messages came from the heap, 1 reset
`,
}

/** Gives frames to the hook of the proxy, whose code it follows, and prints what becomes of them. */
const hook = `
import * as sv2 from 'framepool/sv2/messages'
const sent = []
const link = { send: (direction, { name }, fields) => sent.push([direction, name, fields]) }
const ask = (message, payload, direction = 'upstream') => onFrame({ ...message, payload }, direction, link)
const channel = (requestId, userIdentity) => {
  return { requestId, userIdentity, nominalHashRate: 1, maxTarget: new Uint8Array(32), minExtranonceSize: 4 }
}
const nameOf = (payload) => Buffer.from(OpenStandardMiningChannel.raw.userIdentity(payload)).toString('latin1')

// Any bytes are a name, and TLVs remain, also what looks like none.
const tlv = { extensionType: 0x4001, fieldType: 1, value: Uint8Array.of(1, 2) }
const plain = OpenStandardMiningChannel.encode(channel(1, Uint8Array.of(0xff, 0xfe)), [tlv])
const renamed = ask(OpenStandardMiningChannel, plain)
console.log(nameOf(renamed), OpenStandardMiningChannel.tlvs(renamed).map(({ extensionType, value }) => [extensionType, [...value]]))
const odd = Buffer.concat([OpenStandardMiningChannel.encode(channel(1, 'bob')), Buffer.of(7)])
console.log([...ask(OpenStandardMiningChannel, odd)].at(-1))
const renamedToo = ask(OpenExtendedMiningChannel, OpenExtendedMiningChannel.encode(channel(1, 'bob')))
console.log(OpenExtendedMiningChannel.decode(renamedToo).userIdentity, OpenExtendedMiningChannel.decode(renamedToo).minExtranonceSize)

// A name that has no room for the account remains as it is.
for (const length of [250, 251]) {
  const answer = ask(OpenStandardMiningChannel, OpenStandardMiningChannel.encode(channel(1, 'x'.repeat(length))))
  console.log(answer === 'forward' ? answer : nameOf(answer).length)
}

// Each channel has the name that it was opened with.
const fields = { sequenceNumber: 5, jobId: 0, nonce: 0, ntime: 0, version: 0, extranonce: new Uint8Array(4) }
const answer = { target: new Uint8Array(32), extranoncePrefix: new Uint8Array(0), extranonceSize: 4, groupChannelId: 0 }
const answered = (message, requestId, channelId) => ask(message, message.encode({ ...answer, requestId, channelId }), 'downstream')
ask(OpenExtendedMiningChannel, OpenExtendedMiningChannel.encode(channel(1, 'mallory')))
ask(OpenStandardMiningChannel, OpenStandardMiningChannel.encode(channel(2, 'alice')))
ask(OpenStandardMiningChannel, OpenStandardMiningChannel.encode(channel(3, 'carol')))
answered(OpenStandardMiningChannelSuccess, 2, 8)
answered(OpenExtendedMiningChannelSuccess, 1, 9)
ask(sv2.OpenMiningChannelError, sv2.OpenMiningChannelError.encode({ requestId: 3, errorCode: '' }), 'downstream')
for (const message of [SubmitSharesStandard, SubmitSharesExtended]) {
  console.log([7, 8, 9].map((channelId) => ask(message, message.encode({ ...fields, channelId }))).join())
}
ask(sv2.CloseChannel, sv2.CloseChannel.encode({ channelId: 8, reasonCode: '' }), 'downstream')
console.log(ask(SubmitSharesStandard, SubmitSharesStandard.encode({ ...fields, channelId: 8 })))
console.log(sent.map(([way, name, { channelId, sequenceNumber, errorCode }]) => [way, name, channelId, sequenceNumber, errorCode].join(' ')).join(', '))
console.log(JSON.stringify([...shares]), link.data.asked.size, link.data.channels.size)
`

const refusal = (channelId: number, code: string) => `downstream SubmitSharesError ${channelId} 5 ${code}`
const HOOKED = `farm.\xff\xfe [ [ 16385, [ 1, 2 ] ] ]
7
farm.bob 4
255
forward
drop,forward,drop
drop,forward,drop
drop
${[7, 9, 7, 9, 8].map((id) => refusal(id, id === 9 ? 'invalid-share' : 'invalid-channel-id')).join(', ')}
[["alice",2]] 0 1
`

async function run(...command: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command)
  expect(stderr).toBe('')
  return stdout
}

// The examples import the built package as users do, so `npm run build:ts` must run first.
describe('examples', { timeout: 60_000 }, () => {
  it('are all listed here', () => {
    expect(readdirSync(examples).sort()).toEqual(Object.keys(printed))
  })

  it.each(Object.entries(printed))('%s', async (name, expected) => {
    expect(await run(examples + name)).toBe(expected.trimStart())
  })

  // Windows ends a process at once.
  it.skipIf(process.platform === 'win32')('framed-server.js ends after SIGTERM, though clients stay', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    const child = spawn(process.execPath, [`${examples}framed-server.js`, `${port}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        printed += text
      })
    }
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const dial = async (): Promise<Socket> => {
      for (;;) {
        const socket = connect(port, '127.0.0.1')
        const failed = await new Promise((resolve) => {
          socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
        })
        if (failed === false) return socket
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const [idle, stalled] = [await dial(), await dial()]
    const frame = Buffer.from('\0\0\0\x04stop\0\0\0\x09half')
    stalled.write(frame)
    const [answer] = (await once(stalled, 'data')) as [Buffer]
    expect(answer.toString()).toBe('\0\0\0\x04pots')
    child.kill('SIGTERM')
    for (const socket of [idle, stalled]) socket.on('error', () => {}).resume()
    expect(await once(child, 'close')).toEqual([0, null])
    expect(printed).toBe('0 bytes are held\n')
    expect(readFileSync(`${examples}framed-server.js`, 'utf8').split('\n').length - 1).toBeLessThan(60)
  })

  it('sv2-filter-proxy.js takes any name, any TLVs and several channels of a miner', async () => {
    const source = readFileSync(`${examples}sv2-filter-proxy.js`, 'utf8')
    const [proxy] = source.split('// A mining pool that opens')
    expect(await run('--input-type=module', '--eval', proxy! + hook)).toBe(HOOKED)
  })

  it('sv2-probe.js speaks to IPv6 addresses, and fails for a success that is none', async () => {
    const { messageType } = SetupConnectionSuccess
    const good = SetupConnectionSuccess.encode({ usedVersion: 2, flags: 0 })
    const payloads = [good, good.subarray(0, 2), SetupConnectionSuccess.encode({ usedVersion: 7, flags: 0 })]
    let asked = 0
    const server = createServer((socket) => {
      const session = Sv2Session.responder(authority)
      socket.on('error', () => {})
      session.attach(socket, () => session.send({ messageType }, payloads[asked++]!))
    })
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve))
    onTestFinished(() => {
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const probe = () =>
      promisify(execFile)(process.execPath, [
        `${examples}sv2-probe.js`,
        `stratum2+tcp://[::1]:${port}/${authority.authorityPublicKey}`,
      ]).catch((error: unknown) => error)
    expect(await probe()).toMatchObject({ stdout: expect.stringContaining('SetupConnectionSuccess usedVersion=2') })
    expect(await probe()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('failed: SetupConnectionSuccess.flags'),
    })
    expect(await probe()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('failed: the server does not accept'),
    })
  })

  it('run in turn', async () => {
    const script = fileURLToPath(new URL('../scripts/examples.mjs', import.meta.url))
    const all = Object.entries(printed).map(([name, expected]) => `── examples/${name}${expected}\n`)
    expect(await run(script)).toBe(all.join(''))
  })
})
