import type { Socket } from 'node:net'

/** The symbol of Node's that `socket` has a property by. */
export function symbolOf(socket: Socket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name)
}
