import { authorityKeypair } from '../../native/session.js'

/** Makes a new authority keypair, as base58check strings. */
export function generateAuthorityKeypair(): {
  /** Public key, for the option `authorityPublicKey`. */
  publicKey: string
  /** Secret key, for the option `authoritySecretKey`. */
  secretKey: string
} {
  return authorityKeypair()
}
