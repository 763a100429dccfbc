import type { Socket } from 'node:net'

/** Returns the symbol of that name by which `socket` has a property of Node's. */
export function symbolOf(socket: Socket, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find(({ description }) => description === name)
}
