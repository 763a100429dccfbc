/** Shows what a child process prints, as it comes. Calls `take` with each piece of it. */
export function showOutput(child, take) {
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    from.setEncoding('utf8').on('data', (text) => {
      take(text)
      to.write(text)
    })
  }
}
