// Puts the facade's modules into one file for each entry: a program that imports framepool does not look for a hundred files.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { minifySync } from 'rolldown/utils'
import { exported } from './entries.mjs'

/** Bundles the exported modules from `dist` into `to`, at the same paths. Code that they share is in files of its own. */
export async function bundle(dist, to) {
  const input = Object.fromEntries(exported.map((entry) => [entry, join(dist, `${entry}.js`)]))
  const bundled = await rolldown({ input, platform: 'node' })
  const { output } = await bundled.write({ dir: to, entryFileNames: '[name].js', chunkFileNames: 'shared-[name].js' })
  await bundled.close()
  for (const { fileName, moduleIds } of output) {
    const source = withoutFacades(readFileSync(join(to, fileName), 'utf8'))
    // Shortening takes out the marks by which bundlers know code that nothing needs.
    const marked = moduleIds.some((path) => readFileSync(path, 'utf8').includes('@__PURE__'))
    writeFileSync(join(to, fileName), inLatinLetters(marked ? source : short(fileName, source)))
  }
}

/**
 * Shortens the names of local variables, so that V8 has less to read. Functions, classes and lines stay as they are: Node prints them
 * with an error.
 */
function short(fileName, source) {
  const keepNames = { function: true, class: true }
  const { code, errors } = minifySync(fileName, source, {
    module: true,
    compress: { target: 'es2022', keepNames },
    mangle: { toplevel: true, keepNames },
    codegen: { removeWhitespace: false },
  })
  if (errors.length > 0) throw new Error(`${fileName}: ${errors.map(({ message }) => message).join(', ')}`)
  return code
}

/** Writes other characters as escapes. V8 keeps a source that has one in twice the memory, and takes longer to read it. */
function inLatinLetters(source) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the first of all characters begins the range
  return source.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * Takes Node's own modules as CommonJS has them. For each that a module imports, Node makes a module around it, which reads all
 * that it exports: altogether that takes as long as loading the addon.
 */
function withoutFacades(source) {
  const declared = source.replace(/^import (.+) from "(node:[^"]+)";$/gm, (line, names, name) => {
    if (name === 'node:module') return line
    const [, whole, some] = /^(?:\* as )?(\w+)?(?:, )?(\{.*\})?$/.exec(names)
    const taken = [whole, some?.replace(/(\w+) as (\w+)/g, '$1: $2')].filter(Boolean)
    return taken.map((pattern) => `const ${pattern} = builtin("${name}");`).join('\n')
  })
  if (declared === source) return source
  const has = /^import \{ createRequire \} from "node:module";$/m.test(declared)
  const imports = has ? '' : 'import { createRequire } from "node:module";\n'
  // The oldest Node that is told so when it is too old lacks the first; a bundle of CommonJS modules has no URL.
  return `${imports}const builtin = process.getBuiltinModule ?? createRequire(import.meta.url);\n${declared}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await bundle(fileURLToPath(new URL('../../dist', import.meta.url)), process.argv[2])
}
