import { connect } from 'node:net'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Frame, Sv2Session } from '../sv2/index.js'
import { describe, SetupConnection, SetupConnectionError, SetupConnectionSuccess } from '../sv2/messages/index.js'
import { PROTOCOL_VERSION } from './constants.js'
import { type Address, formatAddress, hostAndPort, seconds } from './options.js'
import { print } from './streams.js'

const LONGEST_SECONDS = 3_600
const PROTOCOLS = ['mining', 'job-declaration', 'template-distribution']

interface Target extends Address {
  key: string
}

interface ProbeFlags {
  protocol: number
  timeout: number
  json?: true
}

/** Findings of a probe; times are in milliseconds. */
interface Finding {
  connectMs: number | null
  handshakeMs: number | null
  setupMs: number | null
  answer: string | null
  error: string | null
}

/**
 * Adds `framepool probe`, which shakes hands with a server and sends SetupConnection. It exits with 0 if the server accepts with a well-formed
 * message and the version that was offered, and else with 1.
 */
export function addProbeCommand(program: Command): void {
  const command = program.command('probe')
  command
    .description('shake hands with a Stratum V2 server, send SetupConnection, and print the answer')
    .argument('<url>', 'stratum2+tcp://host:port/KEY, where KEY is the authority public key', target)
    .addOption(
      new Option('--protocol <name>', `one of ${PROTOCOLS.join(', ')}`).argParser(protocol).default(0, PROTOCOLS[0]),
    )
    .option('--timeout <seconds>', 'how long the probe may take', seconds(LONGEST_SECONDS), 10)
    .option('--json', 'print one JSON object')
    .action((address: Target, flags: ProbeFlags) => run(command, address, flags))
}

/** Parses the URL of a Stratum V2 server. */
function target(text: string): Target {
  const [, address = '', key = ''] = /^stratum2\+tcp:\/\/([^/]+)\/([1-9A-HJ-NP-Za-km-z]+)\/?$/.exec(text) ?? []
  if (key === '') throw new InvalidArgumentError('Give stratum2+tcp://host:port/KEY.')
  return { ...hostAndPort(1)(address), key }
}

function protocol(text: string): number {
  const number = PROTOCOLS.indexOf(text)
  if (number < 0) throw new InvalidArgumentError(`Give one of ${PROTOCOLS.join(', ')}.`)
  return number
}

async function run(command: Command, address: Target, flags: ProbeFlags): Promise<void> {
  let session: Sv2Session
  try {
    session = Sv2Session.initiator({ authorityPublicKey: address.key })
  } catch (error) {
    command.error(`error: the key of the URL: ${(error as Error).message}`)
  }
  const finding = await probe(session, address, flags)
  await print(flags.json ? `${JSON.stringify(finding)}\n` : text(address, finding))
  if (finding.error !== null) process.exitCode = 1
}

function text(address: Address, { connectMs, handshakeMs, setupMs, answer, error }: Finding): string {
  const lines = [
    connectMs === null ? [] : `connected to ${formatAddress(address)} in ${connectMs} ms`,
    handshakeMs === null ? [] : `handshake in ${handshakeMs} ms: the server has the key`,
    answer === null ? [] : `answer in ${setupMs} ms: ${answer}`,
    error === null ? [] : `failed: ${error}`,
  ]
  return lines
    .flat()
    .map((line) => `${line}\n`)
    .join('')
}

async function probe(session: Sv2Session, { host, port }: Address, flags: ProbeFlags): Promise<Finding> {
  const finding: Finding = { connectMs: null, handshakeMs: null, setupMs: null, answer: null, error: null }
  const start = performance.now()
  const since = (): number => Math.round(performance.now() - start)
  const socket = connect({ host, port })
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer in ${flags.timeout} s`)), flags.timeout * 1000)
      socket.on('connect', () => {
        finding.connectMs = since()
      })
      socket.on('error', reject)
      socket.on('close', () => {
        clearTimeout(timer)
        reject(session.error ?? new Error('the server closed the connection'))
      })
      session.attach(socket, (batch) => {
        try {
          finding.setupMs = since()
          const frame = batch.at(0) as Frame
          finding.answer = describe(frame)
          accepted(frame)
          resolve()
        } catch (error) {
          reject(error)
        }
      })
      session.established({ timeoutMs: flags.timeout * 1000 }).then(() => {
        finding.handshakeMs = since()
        session.send(SetupConnection, {
          ...{ protocol: flags.protocol, minVersion: PROTOCOL_VERSION, maxVersion: PROTOCOL_VERSION, flags: 0 },
          ...{ endpointHost: host, endpointPort: port, vendor: 'framepool', hardwareVersion: '' },
          ...{ firmware: 'probe', deviceId: '' },
        })
      }, reject)
    })
  } catch (error) {
    finding.error = (error as Error).message
  } finally {
    session.close()
    socket.destroy()
  }
  return finding
}

/** Throws unless the server has accepted the connection. */
function accepted(frame: Frame): void {
  if (SetupConnectionSuccess.is(frame)) {
    const { usedVersion } = SetupConnectionSuccess.decode(frame.payload)
    if (usedVersion === PROTOCOL_VERSION) return
    throw new Error(`the server wants version ${usedVersion}, which was not offered`)
  }
  if (!SetupConnectionError.is(frame)) throw new Error('the server answered with another message')
  // The error does not repeat the code, which can be any bytes: the answer has shown it, escaped.
  SetupConnectionError.validate(frame.payload)
  throw new Error('the server refused the connection')
}
