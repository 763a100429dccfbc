/** Number of times that each warning came, by its code and the place that it names. */
const reported = new Map<string, number>()

/** Emits a warning that names a place: the first time, and then when it has come ten times as often. */
export function warnOfPlace(code: string, text: string, stack: string): void {
  const place = `${code}\n${stack}`
  const count = (reported.get(place) ?? 0) + 1
  reported.set(place, count)
  if (!Number.isInteger(Math.log10(count))) return
  const message = count === 1 ? text : `${text} (${count} times here)`
  const warning = new Error(message)
  const stackOfWarning = `FramePoolWarning: ${message}\n${stack}`
  // Node prints `detail` below the message.
  process.emitWarning(Object.assign(warning, { name: 'FramePoolWarning', code, detail: stack, stack: stackOfWarning }))
}
