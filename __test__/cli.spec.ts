import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatAddress, hostAndPort, seconds, wholeNumber } from '../src/cli/options.js'
import { generateAuthorityKeypair, Sv2Session } from '../src/sv2/index.js'
import { CliRun } from './support/run-cli.js'

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

describe('help and version', () => {
  it.each([
    [['--help'], ['demo', 'relay', 'keygen']],
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

describe('usage errors: exit code 2, and what is wrong on standard error', () => {
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
    '::1:3333',
    '[::1]',
    '[]:1',
    'a b:1',
  ])('refuses %j as host and port', (text) => {
    expect(() => hostAndPort(0)(text)).toThrow('Give host:port')
  })

  it.each(['', '-1', '1.0', '1e1', '0x1', ' 1', '11'])('refuses %j as a whole number from 0 to 10', (text) => {
    expect(() => wholeNumber(0, 10)(text)).toThrow('Give a whole number from 0 to 10.')
  })

  it.each(['', '0', '-1', '1e1', '1.', 'Infinity', '10.1'])('refuses %j as seconds up to 10', (text) => {
    expect(() => seconds(10)(text)).toThrow('Give a number of seconds above 0, at most 10.')
  })

  it('takes fractions of seconds', () => {
    expect(['0.5', '.5', '10', '007'].map(seconds(10))).toEqual([0.5, 0.5, 10, 7])
  })
})

describe('keygen', () => {
  it('makes keys that a session takes, new ones each time', async () => {
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

  it('refuses connections above its limit, and ends those on which nothing moves', async () => {
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

  it('keeps to a memory budget', async () => {
    const args = ['--authority-secret-key-file', keyFile, '--max-memory', '1048576']
    const run = new CliRun([...relayArgs, ...args])
    const [, port] = await run.written(/listening on 127\.0\.0\.1:(\d+)/)
    const sockets = Array.from({ length: 15 }, () => connect(Number(port), '127.0.0.1'))
    // Half of it is for 14 connections.
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
    ['given twice', ['--authority-secret-key', keys.secretKey, '--authority-secret-key-file', keyFile]],
    ['as a stray argument', [keys.secretKey]],
  ])('does not print a secret key %s', async (_where, args) => {
    const run = new CliRun([...relayArgs, ...args])
    expect(await run.exitCode()).toBe(2)
    expect(run.output).not.toContain(keys.secretKey)
  })

  it('says so when its address is taken', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const run = new CliRun([...relayArgs, '--listen', `127.0.0.1:${port}`, '--authority-secret-key', keys.secretKey])
    expect(await run.exitCode()).toBe(1)
    expect(run.stderr).toContain(`cannot listen on 127.0.0.1:${port}`)
    taken.close()
  })
})
