import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Unit in which the system counts the CPU time of a process. */
const TICK_MICROS = 10_000

/** CPU time of a process, in microseconds. */
export interface Cpu {
  user: number
  system: number
}

/** Returns the CPU time of a process so far. Linux only. */
export function cpuOf({ pid }: ChildProcess): Cpu {
  // The name in parentheses may hold spaces. The times are the twelfth and thirteenth field after it.
  const [, numbers] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ') as [string, string]
  const [user, system] = numbers.split(' ').slice(11, 13).map(Number) as [number, number]
  return { user: user * TICK_MICROS, system: system * TICK_MICROS }
}

/** Returns the CPU time in both modes, in microseconds. */
export function totalOf({ user, system }: Cpu): number {
  return user + system
}
