import { authorityKeypair } from '../../native/boundary.js'

/** A new authority keypair, as base58check strings. */
export function generateAuthorityKeypair(): {
  /** For `authorityPublicKey`. */
  publicKey: string
  /** For `authoritySecretKey`. */
  secretKey: string
} {
  return authorityKeypair()
}
