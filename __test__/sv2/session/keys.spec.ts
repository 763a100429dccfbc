import { describe, expect, it } from 'vitest'
import { generateAuthorityKeypair, Sv2Session } from '../../../src/sv2/index.js'
import { codeOf } from '../../support/code-of.js'

/** The 58 digits, in the order of their values: those of ASCII that cannot be mistaken for each other. */
const ALPHABET = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
  .filter((character) => /[1-9A-HJ-NP-Za-km-z]/.test(character))
  .join('')

/** Returns the bytes that base58 text stands for. */
function base58(text: string): Buffer {
  let number = 0n
  for (const character of text) number = number * 58n + BigInt(ALPHABET.indexOf(character))
  const digits = number.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
}

/** Replaces one character of a text by another of the alphabet. */
function spoiled(text: string, index: number): string {
  const other = text[index] === 'z' ? 'y' : 'z'
  return text.slice(0, index) + other + text.slice(index + 1)
}

describe('generateAuthorityKeypair()', () => {
  it('returns two keys as base58check', () => {
    const { publicKey, secretKey } = generateAuthorityKeypair()
    expect([...publicKey, ...secretKey].every((character) => ALPHABET.includes(character))).toBe(true)
    // A public key has two bytes of version, 1 and 0, then 32 of key and 4 of checksum.
    const bytes = base58(publicKey)
    expect(bytes.length).toBe(2 + 32 + 4)
    expect([...bytes.subarray(0, 2)]).toEqual([1, 0])
    expect(secretKey).not.toBe(publicKey)
  })

  it('returns other keys each time', () => {
    const pairs = Array.from({ length: 100 }, generateAuthorityKeypair)
    expect(new Set(pairs.flatMap(({ publicKey, secretKey }) => [publicKey, secretKey])).size).toBe(200)
  })

  it('returns keys that belong together, and to no other pair', () => {
    const [one, other] = [generateAuthorityKeypair(), generateAuthorityKeypair()]
    const responder = (publicKey: string, secretKey: string) => () =>
      Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey: secretKey }).close()
    expect(responder(one.publicKey, one.secretKey)).not.toThrow()
    expect(codeOf(responder(one.publicKey, other.secretKey))).toBe('ERR_SV2_KEY')
    expect(codeOf(responder(one.secretKey, one.publicKey))).toBe('ERR_SV2_KEY')
  })
})

describe('a key', () => {
  const { publicKey, secretKey } = generateAuthorityKeypair()

  it('is refused with one wrong character anywhere', () => {
    for (let index = 0; index < publicKey.length; index++) {
      const authorityPublicKey = spoiled(publicKey, index)
      expect(codeOf(() => Sv2Session.initiator({ authorityPublicKey }))).toBe('ERR_SV2_KEY')
    }
    for (let index = 0; index < secretKey.length; index++) {
      const authoritySecretKey = spoiled(secretKey, index)
      expect(codeOf(() => Sv2Session.responder({ authorityPublicKey: publicKey, authoritySecretKey }))).toBe(
        'ERR_SV2_KEY',
      )
    }
  })

  it.each([
    ['is empty', ''],
    ['has characters that base58 lacks', '0OIl'],
    ['is too short', publicKey.slice(0, -1)],
    ['is too long', `${publicKey}1`],
    ['is no ASCII', 'ключ'],
    ['is very long', 'z'.repeat(100_000)],
  ])('that %s is refused', (_, authorityPublicKey) => {
    expect(codeOf(() => Sv2Session.initiator({ authorityPublicKey }))).toBe('ERR_SV2_KEY')
  })

  it('is refused as an argument if it is no text', () => {
    const authorityPublicKey = 5 as unknown as string
    expect(codeOf(() => Sv2Session.initiator({ authorityPublicKey }))).toBe('ERR_INVALID_ARG_TYPE')
  })
})
