#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { addDemoCommand } from './demo.js'
import { addDumpCommand } from './dump.js'
import { addKeygenCommand } from './keygen.js'
import { addProbeCommand } from './probe.js'
import { withoutSecrets } from './redaction.js'
import { addRelayCommand } from './relay.js'
import { surviveBrokenStreams } from './streams.js'

const EXIT_CODE_USAGE = 2

const { version } = createRequire(import.meta.url)('framepool/package.json') as { version: string }
const program = new Command('framepool')
  .description(
    'Stratum V2 relay, its keys, tools to look at servers and frames, and a demo that runs on this machine alone',
  )
  .version(version)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(withoutSecrets(text, process.argv.slice(2))) })
addDemoCommand(program)
addRelayCommand(program)
addDumpCommand(program)
addProbeCommand(program)
addKeygenCommand(program)

surviveBrokenStreams()
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // --help and --version end this way too, with 0.
  if (error.exitCode !== 0) process.exitCode = EXIT_CODE_USAGE
}
