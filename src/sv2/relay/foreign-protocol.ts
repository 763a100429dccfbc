/** The least number of bytes to look at. Fewer could be text by chance, for an Sv2 handshake begins with random bytes. */
const LEAST_TEXT = 4

const HTTP = /^(?:[A-Z]{3,10} \S+ HTTP\/\d|(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|CONNECT|PATCH|TRACE|PRI) |HTTP\/\d)/
const PROXY = /^(?:PROXY (?:TCP|UNKNOWN)|\r\n\r\n\0\r\nQUIT\n)/

/**
 * Returns the name of the protocol that a connection begins with, or null if it is Sv2 or unknown. Use it only for connections
 * that have failed: random bytes look like TLS once in three million times.
 */
export function foreignProtocol(head: Uint8Array): string | null {
  // A record of TLS, or of SSL 3: type, version.
  const [type = 0, major, minor = 0] = head
  if (type >= 0x14 && type <= 0x17 && major === 3 && minor <= 4) return 'TLS'
  const text = Buffer.from(head).toString('latin1')
  if (PROXY.test(text)) return 'the PROXY protocol'
  if (!isText(head)) return null
  if (HTTP.test(text)) return 'HTTP'
  return /^\s*[[{]/.test(text) ? 'Stratum V1 (JSON)' : 'plain text'
}

/** Returns whether `head` is text as far as it goes. The 64 random bytes of a handshake are not, not even by chance. */
function isText(head: Uint8Array): boolean {
  if (head.length < LEAST_TEXT) return false
  try {
    // Decodes as a stream, because the last character may be incomplete.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return !/[^\P{C}\t\r\n]/u.test(text)
  } catch {
    return false
  }
}
