import type { Command } from 'commander'
import { generateAuthorityKeypair } from '../sv2/index.js'

/** `framepool keygen`: a new authority keypair on standard output. */
export function addKeygenCommand(program: Command): void {
  program
    .command('keygen')
    .description('make an authority keypair; whoever has the secret key can pose as your relay')
    .option('--json', 'print one JSON object with publicKey and secretKey')
    .action(({ json }: { json?: true }) => {
      const keypair = generateAuthorityKeypair()
      console.log(json ? JSON.stringify(keypair) : `public key  ${keypair.publicKey}\nsecret key  ${keypair.secretKey}`)
    })
}
