// Declarations: which ones the entries need, and those of the entries for `require()`.
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Paths of the declarations that these entries lead to, relative to `dist`, the entries included. */
export function reachable(dist, entries) {
  const found = new Set()
  const visit = (path) => {
    if (found.has(path)) return
    found.add(path)
    const source = readFileSync(join(dist, path), 'utf8')
    for (const [, target] of source.matchAll(/(?:from |import |import\()'(\.[^']+)'/g)) {
      visit(join(dirname(path), target).replace(/\.(c?)js$/, '.d.$1ts'))
    }
  }
  entries.forEach(visit)
  return [...found]
}

/**
 * The declaration for CommonJS: a compiler that resolves as Node 16 did refuses one of an ES module there. Every name stands for
 * what the ES module's declaration has, so that both kinds of modules of a program have equal types.
 */
export function declarationForRequire(dist, path) {
  const source = readFileSync(join(dist, path), 'utf8')
  const needsNode = reachable(dist, [path]).some((file) =>
    /'node:|\bNodeJS\./.test(readFileSync(join(dist, file), 'utf8')),
  )
  const lines = [
    ...(needsNode ? ['/// <reference types="node" />'] : []),
    `import type * as esm from './${basename(path, '.d.ts')}.js' with { 'resolution-mode': 'import' }`,
  ]
  const fileOf = (from) => join(dist, dirname(path), from.replace(/\.js$/, '.d.ts'))
  const add = (file, name, typeOnly) => {
    const { isType, isValue, declared, used } = declarationOf(file, name)
    if (!typeOnly && isValue) lines.push(`export declare const ${name}: typeof esm.${name}`)
    if (isType) lines.push(`export type ${name}${declared} = esm.${name}${used}`)
  }
  const left = source
    .replace(/\/\*[\s\S]*?\*\/|^\/\/.*$/gm, '')
    .replace(/^export \* from '([^']+)';?$/gm, (_, from) => {
      const declarations = readFileSync(fileOf(from), 'utf8')
      for (const [, name] of declarations.matchAll(new RegExp(`^${DECLARATION} (\\w+)`, 'gm')))
        add(fileOf(from), name, false)
      return ''
    })
    .replace(/^export (type )?\{([^}]*)\} from '([^']+)';?$/gm, (_, type, names, from) => {
      for (const item of names
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean)) {
        const name = item.replace(/^type /, '')
        add(fileOf(from), name, type || name !== item)
      }
      return ''
    })
  if (left.trim() !== '') throw new Error(`${path} has more than exports: ${left.trim()}`)
  return `${lines.join('\n')}\n`
}

const DECLARATION = 'export (?:declare )?(?:abstract )?(?:class|interface|type|function|const)'

/** Returns the kind of declaration that `name` has in `file`, or in the file that `file` has it from, and its type parameters as they are declared and as they are passed on. */
function declarationOf(file, name) {
  const pattern = `^${DECLARATION.replace('(?:class', '(class')} ${name}\\b(<.*?>(?= (?:implements|extends|=|\\{)))?`
  const source = readFileSync(file, 'utf8')
  const [, kind, declared = ''] = new RegExp(pattern, 'm').exec(source) ?? []
  if (kind === undefined) {
    const from = new RegExp(`^import [^']*\\b${name}\\b[^']* from '(\\.[^']+)\\.js'`, 'm').exec(source)?.[1]
    if (from === undefined) throw new Error(`${file} does not declare ${name}`)
    return declarationOf(join(dirname(file), `${from}.d.ts`), name)
  }
  const isType = kind === 'class' || kind === 'interface' || kind === 'type'
  // The parameters have no type of their own with a comma in it.
  const parameters = [...declared.matchAll(/[<,]\s*(\w+)/g)].map(([, parameter]) => parameter)
  if (/<.*</.test(declared)) throw new Error(`${name} has type parameters that this script does not know`)
  const used = declared && `<${parameters.join(', ')}>`
  return { isType, isValue: !isType || kind === 'class', declared, used }
}
