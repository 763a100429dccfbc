/** The least length of a secret, in characters: shorter than any key. */
const SECRET_LENGTH = 20
const SECRET_IN_OPTION = new RegExp(`[A-Za-z0-9]{${SECRET_LENGTH}}`)

/**
 * Returns `text`, an error message that quotes `args`, without possible secrets in the wrong place: long arguments, options with a key
 * in their name, and everything after an `=`.
 */
export function withoutSecrets(text: string, args: readonly string[]): string {
  let shown = text
  const hide = (value: string, shownAs: string): void => {
    shown = shown.replaceAll(value, () => shownAs)
  }
  for (const arg of args) {
    const [name, value] = parts(arg)
    if (value !== '') hide(`=${value}`, '=…')
    if (value.length >= SECRET_LENGTH) hide(value, '…')
    if (name.startsWith('-') ? SECRET_IN_OPTION.test(name) : arg.length >= SECRET_LENGTH) hide(name, '…')
  }
  return shown
}

/** Splits an option at its `=`. Returns other arguments as they are. */
function parts(arg: string): [name: string, value: string] {
  const at = arg.startsWith('-') ? arg.indexOf('=') : -1
  return at === -1 ? [arg, ''] : [arg.slice(0, at), arg.slice(at + 1)]
}
