import { authorityKeypair } from '../../native/session.js'

/** A new authority keypair, as base58check strings. */
export function generateAuthorityKeypair(): { publicKey: string; secretKey: string } {
  return authorityKeypair()
}
