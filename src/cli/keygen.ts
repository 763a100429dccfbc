import type { Command } from 'commander'
import { generateAuthorityKeypair } from '../sv2/index.js'
import { print } from './streams.js'

/** Adds `framepool keygen`, which prints a new authority keypair. */
export function addKeygenCommand(program: Command): void {
  program
    .command('keygen')
    .description('make an authority keypair; keep the secret key secret: with it anybody can pose as your relay')
    .option('--json', 'print one JSON object with publicKey and secretKey')
    .action(async ({ json }: { json?: true }) => {
      const { publicKey, secretKey } = generateAuthorityKeypair()
      const text = json
        ? JSON.stringify({ publicKey, secretKey })
        : `public key  ${publicKey}\nsecret key  ${secretKey}`
      await print(`${text}\n`)
    })
}
