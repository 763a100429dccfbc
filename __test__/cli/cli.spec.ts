import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { autoOrWholeNumber, formatAddress, hostAndPort, seconds, wholeNumber } from '../../src/cli/options.js'
import { withoutSecrets } from '../../src/cli/redaction.js'
import { generateAuthorityKeypair, Sv2Session } from '../../src/sv2/index.js'
import { CliRun } from '../support/run-cli.js'

const keys = generateAuthorityKeypair()
const relayArgs = [
  'relay',
  '--listen',
  '127.0.0.1:0',
  '--upstream',
  '127.0.0.1:1',
  '--authority-public-key',
  keys.publicKey,
]

/** Milliseconds. Longer than the interval at which a relay logs changed figures. */
const IDLE_MS = 11_000
/** Starts before the other tests and is checked after them, so that the wait costs little. */
let idle: { run: CliRun; elapsed: Promise<void> }

beforeAll(async () => {
  const run = new CliRun(relayArgs, { FRAMEPOOL_AUTHORITY_SECRET_KEY: keys.secretKey })
  await run.written(/listening on /)
  const elapsed = new Promise<void>((resolve) => {
    setTimeout(resolve, IDLE_MS)
  })
  idle = { run, elapsed }
})

describe('help and version', () => {
  it.each([
    [['--help'], ['demo', 'relay', 'dump', 'probe', 'keygen']],
    [
      ['demo', '--help'],
      ['--miners', '--duration', '--json'],
    ],
    [
      ['relay', '--help'],
      [
        '--listen',
        '--upstream',
        '--authority-public-key',
        '--authority-secret-key',
        '--authority-secret-key-file',
        '--upstream-authority-public-key',
        '--max-frame-size',
        '--max-connections',
        '--max-memory',
        '--idle-timeout',
        'FRAMEPOOL_AUTHORITY_SECRET_KEY',
      ],
    ],
    [['keygen', '--help'], ['--json']],
  ])('%j', async (args, mentioned) => {
    const run = new CliRun(args)
    expect(await run.exitCode()).toBe(0)
    for (const word of mentioned) expect(run.stdout).toContain(word)
  })

  it('--version', async () => {
    const run = new CliRun(['--version'])
    expect(await run.exitCode()).toBe(0)
    expect(run.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('usage errors: exit code 2, and a message on standard error', () => {
  it.each([
    [[], 'Usage: framepool'],
    [['mine'], "unknown command 'mine'"],
    [['demo', '--miners', '0'], 'a whole number from 1 to 10000'],
    [['demo', '--miners', '1.5'], 'a whole number from 1 to 10000'],
    [['demo', '--duration', '0'], 'a number of seconds above 0'],
    [['demo', '--duration', 'long'], 'a number of seconds above 0'],
    [['relay'], "required option '--listen <host:port>' not specified"],
    [[...relayArgs, '--listen', '3333'], 'an IPv6 address in brackets'],
    [[...relayArgs, '--upstream', 'pool:0'], 'the port from 1 to 65535'],
    [[...relayArgs, '--max-frame-size', '16777216'], 'a whole number from 1 to 16777215'],
    [[...relayArgs, '--max-connections', '0'], 'a whole number from 1 to 1000000'],
    [[...relayArgs, '--max-memory', '1048575'], 'a whole number from 1048576 to'],
    [[...relayArgs, '--idle-timeout', '0'], 'a number of seconds above 0'],
    [relayArgs, 'give --authority-secret-key, --authority-secret-key-file or FRAMEPOOL_AUTHORITY_SECRET_KEY'],
    [[...relayArgs, '--authority-secret-key-file', '/nonexistent'], 'the secret key file cannot be read: ENOENT'],
  ])('%j', async (args, complaint) => {
    const run = new CliRun(args)
    expect(await run.exitCode()).toBe(2)
    expect(run.stderr).toContain(complaint)
    expect(run.stdout).toBe('')
  })
})

describe('options', () => {
  it.each([
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['pool.example:65535', { host: 'pool.example', port: 65_535 }],
    ['[::1]:3333', { host: '::1', port: 3333 }],
    ['[fe80::1%eth0]:3333', { host: 'fe80::1%eth0', port: 3333 }],
  ])('takes %s as host and port', (text, address) => {
    expect(hostAndPort(0)(text)).toEqual(address)
    expect(formatAddress(address)).toBe(text)
  })

  it.each([
    '',
    '3333',
    ':3333',
    'host',
    'host:',
    'host:65536',
    'host:-1',
    'host:1x',
    `${keys.secretKey}:3333`,
    '::1:3333',
    '[::1]',
    '[]:1',
    'a b:1',
  ])('refuses %j as host and port', (text) => {
    expect(() => hostAndPort(0)(text)).toThrow('Give host:port')
  })

  it.each(['', '-1', '1.0', '1e1', '0x1', ' 1', '11'])('refuses %j as a whole number from 0 to 10', (text) => {
    expect(() => wholeNumber(0, 10)(text)).toThrow('Give a whole number from 0 to 10.')
    expect(() => autoOrWholeNumber(0, 10)(text)).toThrow("Give a whole number from 0 to 10, or 'auto'.")
  })

  it.each(['', '0', '-1', '1e1', '1.', 'Infinity', '10.1'])('refuses %j as seconds up to 10', (text) => {
    expect(() => seconds(10)(text)).toThrow('Give a number of seconds above 0, at most 10.')
  })

  it('takes fractions of seconds', () => {
    expect(['0.5', '.5', '10', '007'].map(seconds(10))).toEqual([0.5, 0.5, 10, 7])
  })
})

describe('the command line shown in errors', () => {
  it.each([
    ["unknown command 'mine'", ['mine'], "unknown command 'mine'"],
    ["unknown option '--max-mem=5'", ['--max-mem=5'], "unknown option '--max-mem=…'"],
    ['give 0 to 10000, not 0', ['--miners', '0'], 'give 0 to 10000, not 0'],
    ["'--upstream-authority-pubic-key'", ['--upstream-authority-pubic-key'], "'--upstream-authority-pubic-key'"],
    [`'${'x'.repeat(20)}'`, ['x'.repeat(20)], "'…'"],
    [`'--a=b c'd${'$&'.repeat(9)}'`, [`--a=b c'd${'$&'.repeat(9)}`], "'--a=…'"],
    [`'--keyAbcdefghijklmnopqrst1'`, ['--keyAbcdefghijklmnopqrst1'], "'…'"],
  ])('of %s with %j', (text, args, shown) => {
    expect(withoutSecrets(text, args)).toBe(shown)
  })
})

describe('a standard stream that fails', () => {
  const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
  /** Runs a shell line in which `$CLI` is the command line, and returns how it ended. */
  const shell = (line: string, env: Record<string, string> = {}) =>
    spawnSync('bash', ['-c', line], {
      encoding: 'utf8',
      env: { ...process.env, CLI: `${process.execPath} ${main}`, ...env },
    })

  it.each([
    ['a full disk', '> /dev/full'],
    ['closed', '>&-'],
    ['a reader that has gone', '> >(exec true)'],
  ])('does not go unnoticed in keygen: %s', (_, redirection) => {
    for (const args of ['keygen', 'keygen --json']) {
      // Gives the reader time to exit.
      const { status, stderr } = shell(`exec ${redirection}; sleep 0.3; $CLI ${args}`)
      expect(stderr).toMatch(/^error: standard output cannot be written: /)
      expect(status).toBe(1)
    }
  })

  it('nor if standard error fails, too', () => {
    expect(shell('$CLI keygen > /dev/full 2> /dev/full').status).toBe(1)
    expect(shell('$CLI keygen >&- 2>&-').status).toBe(1)
  })

  it.each(['> /dev/null', '| cat', '> "$TARGET"'])('and is no failure where it is none: keygen %s', (redirection) => {
    const folder = mkdtempSync(join(tmpdir(), 'framepool-keygen-'))
    const { status, stderr } = shell(`set -o pipefail; $CLI keygen ${redirection}`, { TARGET: join(folder, 'key') })
    rmSync(folder, { recursive: true })
    expect([status, stderr]).toEqual([0, ''])
  })

  it.each(['--help', '--version'])('does not go unnoticed in %s either', (option) => {
    expect(shell(`$CLI ${option} > /dev/full`).status).toBe(1)
  })

  it.each([
    ['a full disk', '2> /dev/full'],
    ['closed', '2>&-'],
    ['a reader that has gone', '2> >(exec true)'],
  ])('does not take a relay down: %s', async (_, redirection) => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    server.close()
    const args = relayArgs.map((arg) => (arg === '127.0.0.1:0' ? `127.0.0.1:${port}` : arg)).join(' ')
    const relay = spawn('bash', ['-c', `exec ${process.execPath} ${main} ${args} ${redirection}`], {
      env: { ...process.env, FRAMEPOOL_AUTHORITY_SECRET_KEY: keys.secretKey },
      stdio: 'ignore',
    })
    const ended = once(relay, 'exit')
    let served = 0
    for (let attempt = 0; served < 3 && attempt < 2000; attempt++) {
      // Once the relay listens, it closes this connection.
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.once('connect', () => {
        served++
        socket.end('hello\n')
      })
      await new Promise((resolve) => socket.resume().once('close', resolve))
      await new Promise((resolve) => {
        setTimeout(resolve, 10)
      })
    }
    expect(served).toBe(3)
    expect(relay.exitCode).toBeNull()
    relay.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })
})

describe('the log', () => {
  it('drops lines that nobody reads, and reports the gap', async () => {
    const log = new URL('../../dist/src/cli/log.js', import.meta.url).href
    const code = `import { log } from ${JSON.stringify(log)}
      for (let line = 0; line < 50_000; line++) log('x'.repeat(100))
      console.log(process.stderr.writableLength)
      const timer = setInterval(() => {
        if (process.stderr.writableLength > 0) return
        clearInterval(timer)
        log('read again')
      }, 10)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [waiting] = await once(child.stdout.setEncoding('utf8'), 'data')
    expect(Number(waiting)).toBeGreaterThan(500_000)
    expect(Number(waiting)).toBeLessThan(2_000_000)
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    expect(await once(child, 'close')).toEqual([0, null])
    const [, leftOut] = /(\d+) lines were left out: nobody read them\n\S+ read again\n$/.exec(text) ?? []
    expect(text.match(/ x+\n/g)!.length + Number(leftOut)).toBe(50_000)
  })
})

describe('keygen', () => {
  it('prints new keys on each run, which a session accepts', async () => {
    const run = new CliRun(['keygen'])
    expect(await run.exitCode()).toBe(0)
    const [, publicKey, secretKey] = /^public key {2}(\w+)\nsecret key {2}(\w+)\n$/.exec(run.stdout) ?? []
    const session = Sv2Session.responder({ authorityPublicKey: publicKey!, authoritySecretKey: secretKey! })
    session.close()

    const again = new CliRun(['keygen', '--json'])
    expect(await again.exitCode()).toBe(0)
    const pair = JSON.parse(again.stdout)
    expect(Object.keys(pair).sort()).toEqual(['publicKey', 'secretKey'])
    expect(pair.publicKey).not.toBe(publicKey)
    Sv2Session.responder({ authorityPublicKey: pair.publicKey, authoritySecretKey: pair.secretKey }).close()
  })
})

describe('relay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'framepool-cli-'))
  const keyFile = join(folder, 'secret')
  beforeAll(() => writeFileSync(keyFile, `  ${keys.secretKey}\n`))
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each<[string, string[], Record<string, string>]>([
    ['a flag', ['--authority-secret-key', keys.secretKey], {}],
    ['a file', ['--authority-secret-key-file', keyFile], {}],
    ['the environment', [], { FRAMEPOOL_AUTHORITY_SECRET_KEY: keys.secretKey }],
  ])('serves with the secret key from %s, never prints it, and ends with 0 on SIGTERM', async (_source, args, env) => {
    const run = new CliRun([...relayArgs, ...args], env)
    const [, port] = await run.written(/listening on 127\.0\.0\.1:(\d+), upstream 127\.0\.0\.1:1\n/)
    const socket = connect(Number(port), '127.0.0.1')
    await run.written(/connection 1 from 127\.0\.0\.1\n/)
    socket.destroy()
    await run.written(/connection 1 ended: /)
    run.kill('SIGTERM')
    expect(await run.exitCode()).toBe(0)
    expect(run.output).toContain('connections 0 of 1')
    expect(run.output).not.toContain(keys.secretKey)
  })

  it('refuses connections above its limit, and closes idle ones', async () => {
    const limits = ['--max-connections', '1', '--idle-timeout', '0.2']
    const run = new CliRun([...relayArgs, '--authority-secret-key-file', keyFile, ...limits])
    const [, port] = await run.written(/listening on 127\.0\.0\.1:(\d+)/)
    const sockets = [0, 1].map(() => connect(Number(port), '127.0.0.1').resume())
    await Promise.all(sockets.map((socket) => once(socket, 'close')))
    await run.written(/connection 1 ended: idle timeout/)
    run.kill('SIGTERM')
    expect(await run.exitCode()).toBe(0)
    expect(run.output).toMatch(/of 1, rejected 1, /)
  })

  it('respects a memory budget', async () => {
    const args = ['--authority-secret-key-file', keyFile, '--max-memory', '1048576']
    const run = new CliRun([...relayArgs, ...args])
    const [, port] = await run.written(/listening on 127\.0\.0\.1:(\d+)/)
    const sockets = Array.from({ length: 15 }, () => connect(Number(port), '127.0.0.1'))
    // Half of the budget is room for 14 connections.
    await once(sockets[14]!.resume(), 'close')
    for (const socket of sockets) socket.destroy()
    await run.written(/connection 14 ended: /)
    run.kill('SIGTERM')
    expect(await run.exitCode()).toBe(0)
    expect(run.output).toMatch(/of 14, rejected 1, .*, memory 0 of 1048576 bytes, waited for by 0\n/)
  })

  it.each([
    ['malformed', `${keys.secretKey.slice(0, -1)}0`],
    ["another pair's", generateAuthorityKeypair().secretKey],
  ])('refuses a secret key that is %s, without printing it', async (_what, secret) => {
    for (const [args, env] of [
      [['--authority-secret-key', secret], {}],
      [[], { FRAMEPOOL_AUTHORITY_SECRET_KEY: secret }],
    ] as const) {
      const run = new CliRun([...relayArgs, ...args], env)
      expect(await run.exitCode()).toBe(2)
      expect(run.stderr).toMatch(/^error: /)
      expect(run.output).not.toContain(secret)
    }
  })

  it.each([
    ['behind a misspelt option', [`--authority-secret-keys=${keys.secretKey}`]],
    ['behind a misspelt option, apart', ['--authority-secret', keys.secretKey]],
    ['behind a misspelt option, without a space', [`--authority-secret-key${keys.secretKey}`]],
    ['behind an option that is none', [`-${keys.secretKey}`]],
    ['in quotes behind an option that is none', [`--key='${keys.secretKey} x`]],
    ['given twice', ['--authority-secret-key', keys.secretKey, '--authority-secret-key-file', keyFile]],
    ['as a stray argument', [keys.secretKey]],
    ['as the path of its file', ['--authority-secret-key-file', keys.secretKey]],
    ['as the public key', ['--authority-secret-key', keys.secretKey, '--authority-public-key', keys.secretKey]],
    [
      'as the key of the upstream',
      ['--authority-secret-key', keys.secretKey, '--upstream-authority-public-key', keys.secretKey],
    ],
    ...['--listen', '--upstream', '--max-frame-size', '--max-connections', '--max-memory', '--idle-timeout'].flatMap(
      (option): [string, string[]][] => [
        [`as the value of ${option}`, [option, keys.secretKey]],
        [`as the value of ${option}, with a line end`, [`${option}=${keys.secretKey}\n`]],
        [`as the host of ${option}`, [option, `${keys.secretKey}:3333`]],
      ],
    ),
  ])('does not print a secret key %s', async (_where, args) => {
    const run = new CliRun([...relayArgs, ...args], { FRAMEPOOL_AUTHORITY_SECRET_KEY: '' })
    expect(await run.exitCode()).toBe(2)
    expect(run.stderr).toMatch(/^error: /)
    expect(run.output).not.toContain(keys.secretKey)
  })

  it.each([
    ['a command', [keys.secretKey]],
    ['a command behind an option', ['--json', keys.secretKey]],
    ['an argument of keygen', ['keygen', keys.secretKey]],
    ['an option of demo', ['demo', '--miners', keys.secretKey]],
    ['a command to be helped with', ['help', keys.secretKey]],
  ])('does not print a secret key given as %s', async (_where, args) => {
    const run = new CliRun(args)
    await run.exitCode()
    expect(run.output).not.toContain(keys.secretKey)
  })

  it.each([
    ['--authority-public-key', ['--authority-public-key', 'x'], {}],
    ['--authority-secret-key', ['--authority-secret-key', 'x'], {}],
    ['--authority-secret-key-file', ['--authority-secret-key-file', '/dev/null'], {}],
    ['FRAMEPOOL_AUTHORITY_SECRET_KEY', [], { FRAMEPOOL_AUTHORITY_SECRET_KEY: 'x' }],
    ['--upstream-authority-public-key', ['--upstream-authority-public-key', 'x'], {}],
  ])('says that a bad key is that of %s', async (name, args, env) => {
    const run = new CliRun([...relayArgs, ...args], { FRAMEPOOL_AUTHORITY_SECRET_KEY: keys.secretKey, ...env })
    expect(await run.exitCode()).toBe(2)
    expect(run.stderr).toMatch(new RegExp(`^error: ${name}: the authority (public|secret) key `))
  })

  it.each(['\n', '\r', '\r\n', ' \t\n'])('accepts a secret key followed by %j from the environment', async (end) => {
    const run = new CliRun(relayArgs, { FRAMEPOOL_AUTHORITY_SECRET_KEY: keys.secretKey + end })
    await run.written(/listening on /)
    run.kill('SIGTERM')
    expect(await run.exitCode()).toBe(0)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with 0 on %s, from its first line on', async (signal) => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const run = new CliRun([...relayArgs, '--authority-secret-key-file', keyFile])
      await run.written(/./)
      run.kill(signal)
      expect(await run.exitCode()).toBe(0)
      expect(run.output).toContain('closing')
    }
  })

  it('logs which side ended a connection, and why', async () => {
    const pool = createServer((socket) => {
      const session = Sv2Session.responder({ authorityPublicKey: keys.publicKey, authoritySecretKey: keys.secretKey })
      session.attach(socket, () => {
        session.send({ messageType: 2 }, Buffer.from('\0\0\0\0\x07no\nthis'))
        session.close()
      })
    })
    await new Promise<void>((resolve) => pool.listen(0, '127.0.0.1', resolve))
    const { port: poolPort } = pool.address() as { port: number }
    const upstream = ['--upstream', `127.0.0.1:${poolPort}`]
    const run = new CliRun([...relayArgs, ...upstream, '--authority-secret-key-file', keyFile])
    const [, port] = await run.written(/listening on 127\.0\.0\.1:(\d+)/)
    connect(Number(port), '127.0.0.1').end('GET / HTTP/1.0\r\n\r\n')
    await run.written(
      / connection 1 ended: downstream speaks HTTP, not Stratum V2 \(downstream, NOT_SV2; frames up 0 down 0; \d+ ms\)\n/,
    )
    const session = Sv2Session.initiator({ authorityPublicKey: keys.publicKey })
    session.attach(connect(Number(port), '127.0.0.1'), () => {})
    await session.established()
    session.send({ messageType: 0 }, Buffer.alloc(16))
    await run.written(
      / connection 2 ended: upstream ended; the mining pool had sent SetupConnection\.Error "no\?this" \(upstream, ENDED; frames up 1 down 1; \d+ ms\)\n/,
    )
    run.kill('SIGTERM')
    expect(await run.exitCode()).toBe(0)
    pool.close()
  })

  it('reports that its address is in use', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const run = new CliRun([...relayArgs, '--listen', `127.0.0.1:${port}`, '--authority-secret-key', keys.secretKey])
    expect(await run.exitCode()).toBe(1)
    expect(run.stderr).toContain(`cannot listen on 127.0.0.1:${port}`)
    taken.close()
  })
})

it('an idle relay logs nothing', { timeout: 4 * IDLE_MS }, async () => {
  const { run, elapsed } = idle
  await elapsed
  expect(run.output).toMatch(/^\S+ listening on [^\n]*\n$/)
  run.kill('SIGTERM')
  expect(await run.exitCode()).toBe(0)
})
