import { InvalidArgumentError } from 'commander'

/** Host and TCP port of one end of a connection. */
export interface Address {
  host: string
  port: number
}

/** Makes a parser for whole numbers from `minimum` to `maximum`. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = wholeNumberOf(text, minimum, maximum)
    if (value === null) throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`)
    return value
  }
}

/** Makes a parser for `auto`, and for whole numbers from `minimum` to `maximum`. */
export function autoOrWholeNumber(minimum: number, maximum: number): (text: string) => number | 'auto' {
  return (text) => {
    const value = text === 'auto' ? text : wholeNumberOf(text, minimum, maximum)
    if (value === null) throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}, or 'auto'.`)
    return value
  }
}

function wholeNumberOf(text: string, minimum: number, maximum: number): number | null {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= minimum && value <= maximum ? value : null
}

/** Makes a parser for seconds above 0 and up to `maximum`. Fractions are allowed. */
export function seconds(maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d*\.?\d+$/.test(text) || value <= 0 || value > maximum) {
      throw new InvalidArgumentError(`Give a number of seconds above 0, at most ${maximum}.`)
    }
    return value
  }
}

/** Matches a run of letters of both cases and digits that is as long as in every key. Long parts of host names have one case. */
const KEY = /(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{40}/

/** Makes a parser for `host:port`, with an IPv6 address in brackets: `127.0.0.1:3333`, `pool.example:3333`, `[::1]:3333`. */
export function hostAndPort(lowestPort: 0 | 1): (text: string) => Address {
  return (text) => {
    const [, bracketed, plain, digits] = /^(?:\[([\da-fA-F:.%\w]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? []
    const host = bracketed ?? plain
    const port = Number(digits)
    // A key in the wrong place must not reach a log as a host name that cannot be resolved.
    if (host === undefined || KEY.test(host) || port < lowestPort || port > 65_535) {
      throw new InvalidArgumentError(
        `Give host:port, an IPv6 address in brackets ([::1]:3333), the port from ${lowestPort} to 65535.`,
      )
    }
    return { host, port }
  }
}

/** Formats an address as `hostAndPort()` parses it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
