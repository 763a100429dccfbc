// Finds circles among the modules of a crate, where each file is a module: `node scripts/rust-circles.mjs crates/…`. A
// circle is an error.
//
// A file depends on the files that define the names in its `use` declarations and paths. For a re-exported name, the
// dependency is on the defining file. The declaration `mod name;`, names that a file only re-exports, and tests (`mod
// tests`) do not count.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './setup.mjs'

const crates = process.argv.slice(2)

/** Removes comments and literals from the source. */
function code(source) {
  return source.replace(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"(?:[^"\\]|\\[\s\S])*"|b?'(?:[^'\\\n]|\\[^\n]+?)'/g,
    (match) => (match.startsWith("'") || match.includes('"') ? '""' : ' '),
  )
}

/** Returns the paths of a `use` tree, each with its local name: `a::{b, c as d}` is `a::b` and `a::c`. */
function* leaves(tree, prefix = []) {
  for (const branch of split(tree)) {
    const open = branch.indexOf('{')
    if (open >= 0) {
      const path = branch.slice(0, open).replace(/::\s*$/, '')
      yield* leaves(branch.slice(open + 1, branch.lastIndexOf('}')), [...prefix, ...segments(path)])
      continue
    }
    const [path, alias] = branch.split(/\s+as\s+/)
    const full = [...prefix, ...segments(path)]
    if (full.at(-1) === 'self') full.pop()
    yield { path: full, name: alias?.trim() ?? full.at(-1) }
  }
}

function segments(path) {
  return path
    .split('::')
    .map((segment) => segment.trim())
    .filter(Boolean)
}

/** Splits a list at the commas outside braces. */
function split(list) {
  const parts = ['']
  let depth = 0
  for (const character of list) {
    if (character === '{') depth++
    if (character === '}') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts.map((part) => part.trim()).filter(Boolean)
}

/** Returns true if the code of a module has the name outside its `use` declarations. */
function uses(text, name) {
  return new RegExp(`\\b${name}\\b`).test(text.replace(/\buse\s+[^;]+;/g, ''))
}

/** Reads a module, and returns the names in its `use` declarations and paths, absolute from the crate's root. */
function read(file, own) {
  const module = { file, own, children: new Set(), named: [], exports: new Map() }
  const text = code(readFileSync(file, 'utf8'))
  // Inline modules, innermost last: the depth of braces at which each ends, and whether it holds tests.
  const inline = []
  let depth = 0
  const token =
    /\b(?:pub(?:\s*\([^)]*\))?\s+)?mod\s+(\w+)\s*([;{])|\b(pub(?:\s*\([^)]*\))?\s+)?use\s+([^;]+);|((?:\$?crate|self|super)(?:\s*::\s*\w+)+|\b[a-z_]\w*(?:::\w+)+)|[{}]/g
  for (const [match, mod, kind, visible, tree, path] of text.matchAll(token)) {
    if (mod !== undefined) {
      if (kind === ';') module.children.add(mod)
      else inline.push({ name: mod, depth: depth++ })
    } else if (match === '{') depth++
    else if (match === '}') {
      depth--
      if (inline.at(-1)?.depth === depth) inline.pop()
    } else if (!inline.some(({ name }) => name === 'tests')) {
      const here = [...own, ...inline.map(({ name }) => name)]
      for (const leaf of tree === undefined ? [{ path: segments(path) }] : leaves(tree)) {
        const isExport = visible !== undefined && inline.length === 0
        if (isExport) module.exports.set(leaf.name, { here, path: leaf.path })
        if (!isExport || uses(text, leaf.name))
          module.named.push({ here, path: leaf.path, declared: tree !== undefined })
      }
    }
  }
  return module
}

/** Returns all modules of a crate by path: `''` is the root, `slot::pool` a module of it. */
function modulesOf(crate) {
  const source = join(root, crate, 'src')
  const modules = new Map()
  const add = (file, own) => {
    const module = read(file, own)
    modules.set(own.join('::'), module)
    for (const child of module.children) {
      const path = join(source, ...own, child)
      const found = [`${path}.rs`, join(path, 'mod.rs')].find(existsSync)
      if (found) add(found, [...own, child])
    }
  }
  add(join(source, 'lib.rs'), [])
  return modules
}

/** Returns the path from the crate's root, or null for a path of another crate. */
function absolute(modules, { here, path, declared }) {
  const rest = [...path]
  const first = rest[0]
  if (first === 'crate' || first === '$crate') return rest.slice(1)
  if (first === 'self') return [...here, ...rest.slice(1)]
  if (first === 'super') {
    const base = [...here]
    while (rest[0] === 'super') {
      rest.shift()
      base.pop()
    }
    return [...base, ...rest]
  }
  // A module that is declared here.
  const isChild = modules.get(here.join('::'))?.children.has(first)
  return isChild && (declared || rest.length > 1) ? [...here, ...rest] : null
}

/** Returns the module that defines the name of a path. Follows re-exports. */
function definer(modules, path, seen = new Set()) {
  let length = path.length
  while (length > 0 && !modules.has(path.slice(0, length).join('::'))) length--
  const module = modules.get(path.slice(0, length).join('::'))
  const name = path[length]
  const target = name !== undefined && module.exports.get(name)
  if (!target || seen.has(target)) return module
  const next = absolute(modules, { ...target, declared: true })
  return next === null ? module : definer(modules, [...next, ...path.slice(length + 1)], seen.add(target))
}

function graphOf(modules) {
  const graph = new Map()
  for (const module of modules.values()) {
    const edges = new Set()
    for (const named of module.named) {
      const path = absolute(modules, named)
      const target = path === null ? module : definer(modules, path)
      if (target !== module) edges.add(target)
    }
    graph.set(module, edges)
  }
  return graph
}

/** Returns the strongly connected components with more than one module. */
function circlesOf(graph) {
  const indices = new Map()
  const lowest = new Map()
  const stack = []
  const circles = []
  const visit = (node) => {
    indices.set(node, indices.size)
    lowest.set(node, indices.get(node))
    stack.push(node)
    for (const next of graph.get(node)) {
      if (!indices.has(next)) {
        visit(next)
        lowest.set(node, Math.min(lowest.get(node), lowest.get(next)))
      } else if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node), indices.get(next)))
    }
    if (lowest.get(node) !== indices.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    if (circle.length > 1) circles.push(circle)
  }
  for (const node of graph.keys()) if (!indices.has(node)) visit(node)
  return circles
}

/** Returns the files of the crate that no module declares. The check would not see them. */
function strays(crate, modules) {
  const source = join(root, crate, 'src')
  const known = new Set([...modules.values()].map(({ file }) => file))
  return readdirSync(source, { recursive: true })
    .map((name) => join(source, name))
    .filter((file) => file.endsWith('.rs') && statSync(file).isFile() && !known.has(file))
}

const short = (file) => relative(root, file)

for (const crate of crates) {
  const modules = modulesOf(crate)
  const graph = graphOf(modules)
  const circles = circlesOf(graph)
  for (const circle of circles) {
    process.exitCode = 1
    console.error(`${crate}: ${circle.length} files form a circle:`)
    for (const module of circle) {
      const uses = [...graph.get(module)].filter((other) => circle.includes(other)).map(({ file }) => short(file))
      console.error(`  ${short(module.file)} uses ${uses.join(', ')}`)
    }
  }
  for (const file of strays(crate, modules)) {
    process.exitCode = 1
    console.error(`${short(file)} is declared by no module`)
  }
  if (circles.length === 0) console.log(`${crate}: ${modules.size} files, no circle`)
}
