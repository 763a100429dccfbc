import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { createRelay, type Frame, generateAuthorityKeypair } from '../sv2/index.js'
import { type AnyMessage, describe, messageByName, messageOf } from '../sv2/messages/index.js'
import { DRAIN_MS, MAX_PAYLOAD } from './constants.js'
import { log, logTo } from './log.js'
import { LossyLines } from './lossy-lines.js'
import { type Address, formatAddress, hostAndPort, wholeNumber } from './options.js'
import { onInterrupt } from './signals.js'
import { closed, isClosed, reportLoss } from './streams.js'
import { Terminals } from './terminal.js'

/** Time in which a terminal has to take the last lines of the log, in milliseconds. */
const LOG_MS = 500

interface DumpFlags {
  listen: Address
  upstream: Address
  upstreamAuthorityPublicKey?: string
  maxFrameSize?: number
  type?: AnyMessage[]
  direction?: 'upstream' | 'downstream'
  channel?: number
  miner?: number
  json?: true
}

/** Adds `framepool dump`, which runs a relay with keys of its own and prints the frames that pass. */
export function addDumpCommand(program: Command): void {
  program
    .command('dump')
    .description('relay as the command relay does, with a key made for the run, and print each frame')
    .requiredOption('--listen <host:port>', 'where to accept connections; port 0 takes a free one', hostAndPort(0))
    .requiredOption('--upstream <host:port>', 'where to forward them', hostAndPort(1))
    .option(
      '--upstream-authority-public-key <key>',
      'the key that the upstream must prove; without this option any key is accepted',
    )
    .option('--max-frame-size <bytes>', 'larger frames end their connection', wholeNumber(1, MAX_PAYLOAD))
    .option('--type <name>', 'print only this message; may be given several times', messageType)
    .addOption(new Option('--direction <way>', 'print only this direction').choices(['upstream', 'downstream']))
    .option('--channel <id>', 'print only this channel', wholeNumber(0, 0xffff_ffff))
    .option('--miner <id>', 'print only this connection; they count from 1', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print one JSON object for each frame')
    .action((flags: DumpFlags) => run(flags))
}

/** Parses the name of a message: that of the export, or that of the specification. */
function messageType(name: string, messages: AnyMessage[] = []): AnyMessage[] {
  const message = messageByName(name)
  if (message === undefined)
    throw new InvalidArgumentError('Give the name of a message, for example SubmitShares.Success.')
  return [...messages, message]
}

async function run(flags: DumpFlags): Promise<void> {
  const { publicKey, secretKey } = generateAuthorityKeypair()
  const { listen, upstream, upstreamAuthorityPublicKey: authorityPublicKey, maxFrameSize } = flags
  const terminals = process.stdout.isTTY || process.stderr.isTTY ? new Terminals() : null
  const output =
    terminals !== null && process.stdout.isTTY ? terminals.stream(1).on('error', reportLoss) : process.stdout
  if (terminals !== null && process.stderr.isTTY) logTo(terminals.stream(2))
  const lines = new LossyLines(output)
  if (isClosed()) {
    lines.break()
    reportLoss(closed())
  }
  const relay = createRelay({
    listen,
    upstream: { ...upstream, ...(authorityPublicKey !== undefined && { authorityPublicKey }) },
    authorityPublicKey: publicKey,
    authoritySecretKey: secretKey,
    // All other frames stay in native code.
    ...(maxFrameSize !== undefined && { maxFrameSize }),
    ...(flags.type !== undefined && { hookMessages: flags.type }),
    onFrame: (frame, direction, link) => {
      if (!isWanted(flags, frame, direction, link.id)) return 'forward'
      // A slow reader must not slow the relay, so this does not wait for it.
      lines.write(() => line(flags, frame, direction, link.id))
      return 'forward'
    },
  })
  const interrupted = new Promise<void>((resolve) => onInterrupt(resolve))
  relay.on('connection', ({ id, remoteAddress }) => log(`connection ${id} from ${remoteAddress}`))
  relay.on('disconnect', ({ id, reason }) => log(`connection ${id} ended: ${reason}`))
  try {
    const address = formatAddress(await relay.listen())
    log(`listening on ${address}, upstream ${formatAddress(upstream)}: stratum2+tcp://${address}/${publicKey}`)
  } catch (error) {
    log(`cannot listen on ${formatAddress(listen)}: ${(error as Error).message}`)
    process.exitCode = 1
    await terminals?.flush(LOG_MS)
    return
  }
  await interrupted
  const end = performance.now() + DRAIN_MS
  await relay.close({ drainMs: DRAIN_MS })
  const written = await lines.written(Math.max(end - performance.now(), 0))
  log(`${lines.leftOut} frames were left out because nobody read them`)
  await terminals?.flush(LOG_MS)
  // Bytes that nobody reads would keep the process.
  if (!written) process.exit()
}

function isWanted(flags: DumpFlags, frame: Frame, direction: string, miner: number): boolean {
  return (
    (flags.direction === undefined || flags.direction === direction) &&
    (flags.miner === undefined || flags.miner === miner) &&
    (flags.channel === undefined || flags.channel === channelOf(frame))
  )
}

/** Returns the channel of a frame. Older senders do not set the channel bit; their frames have a channel, too. */
function channelOf(frame: Frame): number | null {
  if (frame.channelId !== null) return frame.channelId
  const { payload } = frame
  if (messageOf(frame)?.channelMessage !== true || payload.length < 4) return null
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
}

function line(flags: DumpFlags, frame: Frame, direction: 'upstream' | 'downstream', miner: number): string {
  const text = describe(frame)
  if (!flags.json) return `${direction === 'upstream' ? '→' : '←'} ${miner} ${text}\n`
  const { extensionType, messageType, channelMessage, payload } = frame
  const name = messageOf(frame)?.name ?? null
  const time = new Date().toISOString()
  const channelId = channelOf(frame)
  const header = { extensionType, messageType, channelMessage, channelId, bytes: payload.length }
  return `${JSON.stringify({ time, miner, direction, name, ...header, text })}\n`
}
