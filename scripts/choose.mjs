/** Returns the things with these names, or all without names. Ends this process if a name is unknown; `kind` is what the message calls it. */
export function choose(kind, things, asked) {
  const names = things.map(({ name }) => name)
  const unknown = asked.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    console.error(`there is no ${kind} ${unknown}; there are ${names.join(', ')}`)
    process.exit(1)
  }
  return things.filter(({ name }) => asked.length === 0 || asked.includes(name))
}
