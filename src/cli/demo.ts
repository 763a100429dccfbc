import type { Command } from 'commander'
import { Demo } from './demo/coordinator.js'
import { liveLine, reasons, summary, table } from './demo/report.js'
import { seconds, wholeNumber } from './options.js'
import { onInterrupt } from './signals.js'

const ERASE_LINE = '\r\x1b[K'

/** Adds `framepool demo`: a mining pool, a relay and miners on loopback, then a table. It exits with 1 if a frame was lost or differed. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('run miners through the relay to a mining pool, all on this machine, and verify every frame')
    .option('--miners <count>', 'miners, a connection each', wholeNumber(1, 10_000), 50)
    .option('--duration <seconds>', 'how long the miners submit shares', seconds(1_000_000), 10)
    .option('--json', 'end standard output with one JSON object; the rest goes to standard error')
    .addHelpText('after', '\nCtrl-C ends the load early: answers under way are awaited, and the table is printed.')
    .action(run)
}

async function run(options: { miners: number; duration: number; json?: true }): Promise<void> {
  const people = options.json ? process.stderr : process.stdout
  const interrupted = new AbortController()
  onInterrupt(() => interrupted.abort(new Error('interrupted before the miners were ready')))

  people.write(`framepool demo: ${options.miners} miners, ${options.duration} s\n`)
  const outcome = await new Demo({
    miners: options.miners,
    durationMs: options.duration * 1000,
    stop: interrupted.signal,
    onLine: (line) => people.write(`${line}\n`),
    onProgress: (figures) => {
      const line = liveLine(figures)
      // Cut, since a line that wraps could not be rewritten.
      people.write(people.isTTY ? ERASE_LINE + line.slice(0, people.columns - 1) : `${line}\n`)
    },
  }).run()

  if (people.isTTY) people.write(ERASE_LINE)
  if (outcome.figures) {
    people.write(`\n${table(outcome.figures).join('\n')}\n`)
    if (options.json) process.stdout.write(`${JSON.stringify(summary(outcome.figures))}\n`)
  }
  const faults = reasons(outcome)
  for (const fault of faults) process.stderr.write(`failed: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
}
