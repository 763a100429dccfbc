import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { FramePoolError } from '../../index.js'
import { createRelay, type Disconnection, type Relay, type RelayBudget, type RelayStats } from '../sv2/index.js'
import { DRAIN_MS, MAX_PAYLOAD } from './constants.js'
import { log } from './log.js'
import { type Address, autoOrWholeNumber, formatAddress, hostAndPort, seconds, wholeNumber } from './options.js'
import { onInterrupt } from './signals.js'

const SECRET_KEY_VARIABLE = 'FRAMEPOOL_AUTHORITY_SECRET_KEY'
const STATS_INTERVAL_MS = 10_000
// Limits of `createRelay()`. Commands use only what framepool exports.
const MIN_MEMORY = 1 << 20
const MAX_THREADS = 256
const MOST_CONNECTIONS = 1_000_000
/** Nearly the longest that a Node timer can wait. */
const LONGEST_SECONDS = 2_000_000

interface RelayFlags {
  listen: Address
  upstream: Address
  authorityPublicKey: string
  authoritySecretKey?: string
  authoritySecretKeyFile?: string
  upstreamAuthorityPublicKey?: string
  maxFrameSize?: number
  maxConnections?: number
  maxMemory?: number
  idleTimeout?: number
  threads?: number | 'auto'
}

/** Adds `framepool relay`, which runs until SIGINT, SIGTERM or SIGHUP, then drains and exits with 0. It logs to standard error. */
export function addRelayCommand(program: Command): void {
  const command = program.command('relay')
  command
    .description('accept Stratum V2 connections, and forward each one to its own connection to the upstream')
    .requiredOption('--listen <host:port>', 'where to accept connections; port 0 takes a free one', hostAndPort(0))
    .requiredOption('--upstream <host:port>', 'where to forward them', hostAndPort(1))
    // No parser on the keys, since the error of a parser would repeat the value.
    .requiredOption('--authority-public-key <key>', 'the key that connecting miners expect, base58check')
    .addOption(
      new Option(
        '--authority-secret-key <key>',
        `its secret key; other users can see it here, so prefer ${SECRET_KEY_VARIABLE}`,
      ).conflicts('authoritySecretKeyFile'),
    )
    .option('--authority-secret-key-file <path>', 'a file that holds the secret key')
    .option(
      '--upstream-authority-public-key <key>',
      'the key that the upstream must prove; without it, any upstream is accepted',
    )
    .option('--max-frame-size <bytes>', 'larger frames end their connection', wholeNumber(1, MAX_PAYLOAD))
    .option(
      '--max-connections <count>',
      'more are refused, or end silent ones; default: 16,000',
      wholeNumber(1, MOST_CONNECTIONS),
    )
    .option(
      '--max-memory <bytes>',
      'the most memory that connections may take together, at least 1 MiB; others wait or are refused; default: 1.25 GiB',
      wholeNumber(MIN_MEMORY, Number.MAX_SAFE_INTEGER),
    )
    .option(
      '--idle-timeout <seconds>',
      'ends a connection on which nothing moves in this time; default: 600',
      seconds(LONGEST_SECONDS),
    )
    .option(
      '--threads <count>',
      "threads that connections are spread over, or 'auto'; default: 1",
      autoOrWholeNumber(1, MAX_THREADS),
    )
    .action((flags: RelayFlags) => run(command, flags))
}

async function run(command: Command, flags: RelayFlags): Promise<void> {
  const relay = open(command, flags)
  // Before the first line of the log, since a supervisor may send a signal as soon as it reads that line.
  const interrupted = new Promise<void>((resolve) => onInterrupt(resolve))
  relay.on('connection', ({ id, remoteAddress }) => log(`connection ${id} from ${remoteAddress}`))
  relay.on('disconnect', (disconnection) => log(endLine(disconnection)))
  relay.on('refused', ({ reason, count }) => log(`refused: ${count} for ${reason}`))
  try {
    log(`listening on ${formatAddress(await relay.listen())}, upstream ${formatAddress(flags.upstream)}`)
  } catch (error) {
    log(`cannot listen on ${formatAddress(flags.listen)}: ${(error as Error).message}`)
    process.exitCode = 1
    return
  }
  relay.on('error', (error) => log(`error: ${error.message}`))

  let last = statsLine(relay.stats())
  const statsTimer = setInterval(() => {
    const line = statsLine(relay.stats())
    if (line !== last) log(line)
    last = line
  }, STATS_INTERVAL_MS)
  await interrupted
  clearInterval(statsTimer)
  log('closing')
  await relay.close({ drainMs: DRAIN_MS })
  log(statsLine(relay.stats()))
}

function open(command: Command, flags: RelayFlags): Relay {
  const { listen, upstream, authorityPublicKey, upstreamAuthorityPublicKey } = flags
  const { maxFrameSize, maxConnections, maxMemory, idleTimeout, threads } = flags
  const [authoritySecretKey, source] = secretKey(command, flags)
  try {
    return createRelay({
      listen,
      upstream: {
        ...upstream,
        ...(upstreamAuthorityPublicKey !== undefined && { authorityPublicKey: upstreamAuthorityPublicKey }),
      },
      authorityPublicKey,
      authoritySecretKey,
      ...(threads !== undefined && { threads }),
      ...(maxFrameSize !== undefined && { maxFrameSize }),
      ...(maxConnections !== undefined && { maxConnections }),
      ...(maxMemory !== undefined && { maxMemory }),
      ...(idleTimeout !== undefined && { idleTimeoutMs: Math.ceil(idleTimeout * 1000) }),
    })
  } catch (error) {
    if (!(error instanceof FramePoolError) || error.code !== 'ERR_SV2_KEY') throw error
    const names = {
      'options.authorityPublicKey': '--authority-public-key',
      'options.authoritySecretKey': source,
      'options.upstream.authorityPublicKey': '--upstream-authority-public-key',
    }
    const message = Object.entries(names).reduce((text, [name, flag]) => text.replace(name, flag), error.message)
    command.error(`error: ${message}`)
  }
}

/** Reads the key from the flag, the file or the environment, in this order. Returns it and where it was found. */
function secretKey(command: Command, flags: RelayFlags): [key: string, source: string] {
  const { authoritySecretKey, authoritySecretKeyFile } = flags
  if (authoritySecretKey !== undefined) return [authoritySecretKey.trim(), '--authority-secret-key']
  if (authoritySecretKeyFile !== undefined) {
    try {
      return [readFileSync(authoritySecretKeyFile, 'utf8').trim(), '--authority-secret-key-file']
    } catch (error) {
      command.error(`error: the secret key file cannot be read: ${(error as Error).message}`)
    }
  }
  // Trimmed, since mounted secrets end with a line end, as files and as variables.
  const inherited = process.env[SECRET_KEY_VARIABLE]?.trim()
  if (!inherited) {
    command.error(`error: give --authority-secret-key, --authority-secret-key-file or ${SECRET_KEY_VARIABLE}`)
  }
  return [inherited, SECRET_KEY_VARIABLE]
}

function endLine({ id, reason, side, code, framesUpstream, framesDownstream, durationMs }: Disconnection): string {
  return `connection ${id} ended: ${reason} (${side}, ${code}; frames up ${framesUpstream} down ${framesDownstream}; ${durationMs} ms)`
}

function statsLine(stats: RelayStats): string {
  return [
    `connections ${stats.connections} of ${stats.connectionsTotal}`,
    `rejected ${stats.rejected}`,
    `failed handshakes ${stats.handshakeFailures}`,
    `frames up ${stats.framesUpstream} down ${stats.framesDownstream}`,
    `bytes up ${stats.bytesUpstream} down ${stats.bytesDownstream}`,
    `heap fallbacks ${stats.heapFallbacks}`,
    budgetPart(stats.budget),
  ].join(', ')
}

function budgetPart({ reserved, limit, waiting }: RelayBudget): string {
  return `memory ${reserved} of ${limit} bytes, waited for by ${waiting}`
}
