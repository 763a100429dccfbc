#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { addDemoCommand } from './demo.js'
import { addKeygenCommand } from './keygen.js'
import { addRelayCommand } from './relay.js'

const EXIT_CODE_USAGE = 2

const { version } = createRequire(import.meta.url)('framepool/package.json') as { version: string }
const program = new Command('framepool')
  .description('Stratum V2 relay, its keys, and a demo that runs on this machine alone')
  .version(version)
  .exitOverride()
  // What follows `=` may be a secret behind a misspelt option.
  .configureOutput({ outputError: (text, write) => write(text.replaceAll(/(--[\w-]+)=[^\s']*/g, '$1=…')) })
addDemoCommand(program)
addRelayCommand(program)
addKeygenCommand(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // --help and --version end this way too, with 0.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_CODE_USAGE
}
