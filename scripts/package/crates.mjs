// The crates that an addon is linked from: their licenses, and the bill of materials.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../setup.mjs'
import { anyRust } from './toolchains.mjs'

/** Licenses that an addon may come under, the preferred one first: of several that a crate offers, one is taken. */
const ACCEPTED = ['MIT', 'Apache-2.0', 'ISC', 'BSD-3-Clause', 'BSD-2-Clause', 'Zlib', 'CC0-1.0']

/** Texts of code in other languages, which crates carry in folders of their own. */
const INSIDE = { 'secp256k1-sys': ['depend/secp256k1/COPYING'] }

/** Code that is linked in and is no crate of the lockfile. */
const RUNTIME = {
  name: 'The Rust standard library',
  license: 'MIT OR Apache-2.0',
  repository: 'https://github.com/rust-lang/rust',
}

/** Crates that are linked into the addon for a target: no macros, no build scripts, no test code. */
export function linkedCrates({ triple }) {
  const env = { ...process.env, ...anyRust() }
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', triple]
  const { packages, resolve } = JSON.parse(
    execFileSync(env.CARGO ?? 'cargo', args, {
      cwd: root,
      env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const found = new Map()
  const visit = (id) => {
    const crate = packages.find((candidate) => candidate.id === id)
    if (found.has(id) || crate.targets.some(({ kind }) => kind.includes('proc-macro'))) return
    found.set(id, crate)
    for (const { pkg, dep_kinds } of nodes.get(id).deps) if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg)
  }
  visit(packages.find(({ name }) => name === 'framepool-node').id)
  return [...found.values()]
    .filter(({ source }) => source !== null)
    .sort((one, other) => one.name.localeCompare(other.name) || one.version.localeCompare(other.version))
}

/** THIRD-PARTY.md of an addon. Throws if a crate comes under a license that is not accepted. */
export function thirdPartyNotice(target) {
  const texts = new Map()
  const rows = []
  for (const crate of linkedCrates(target)) {
    const taken = takenLicenses(crate)
    rows.push(`| ${crate.name} ${crate.version} | ${taken.join(', ')} | ${crate.repository ?? ''} |`)
    for (const text of licenseTexts(crate, taken)) {
      const key = text.replace(/\s+/g, ' ').trim()
      const known = texts.get(key) ?? { text: text.trim(), crates: [] }
      known.crates.push(`${crate.name} ${crate.version}`)
      texts.set(key, known)
    }
  }
  const sections = [...texts.values()].map(
    ({ text, crates }) => `### ${crates.join(', ')}\n\n\`\`\`text\n${text}\n\`\`\``,
  )
  return `# Third-party software

The addon for ${target.name} is linked from framepool's own code and from the crates below. Where a crate offers several licenses, the table names the one that is taken. ${RUNTIME.name} (${RUNTIME.repository}) is linked in, too, under MIT OR Apache-2.0, which are the licenses of framepool itself.

| crate | license | source |
| ----- | ------- | ------ |
${rows.join('\n')}

## Texts

${sections.join('\n\n')}
`
}

/** Returns the license taken from each group of licenses to choose from. A crate may have several groups, all of which apply. */
function takenLicenses({ name, license }) {
  if (!license) throw new Error(`${name} names no license`)
  return license
    .replaceAll('/', ' OR ')
    .split(' AND ')
    .map((group) => {
      const offered = group
        .replace(/[()]/g, '')
        .split(' OR ')
        .map((part) => part.trim())
      const taken = ACCEPTED.find((accepted) => offered.includes(accepted))
      if (taken === undefined) throw new Error(`${name} comes under ${license}, which is not accepted`)
      return taken
    })
}

function licenseTexts(crate, taken) {
  const folder = dirname(crate.manifest_path)
  const files = readdirSync(folder).filter(
    (file) => /^(licen[cs]e|copying|notice)/i.test(file) && statSync(join(folder, file)).isFile(),
  )
  const read = (file) => readFileSync(join(folder, file), 'utf8')
  const inside = (INSIDE[crate.name] ?? []).map(read)
  if (files.length === 0)
    return [
      ...inside,
      `${crate.name} has no text of its own beside its declaration: ${crate.license}, © ${crate.authors.join(', ') || `the ${crate.name} authors`}.\n\n${standardText(taken[0])}`,
    ]
  // A file that is named after a license that was not taken does not apply.
  const short = (license) => license.split('-')[0].toLowerCase()
  const others = ACCEPTED.map(short)
    .concat('unlicense')
    .filter((name) => !taken.map(short).includes(name))
  const applying = files.filter((file) => !others.some((other) => file.toLowerCase().slice(7).includes(other)))
  return [...inside, ...(applying.length > 0 ? applying : files).map(read)]
}

function standardText(license) {
  const file = { MIT: 'LICENSE-MIT', 'Apache-2.0': 'LICENSE-APACHE' }[license]
  if (file === undefined || !existsSync(join(root, file))) throw new Error(`there is no text of ${license}`)
  return readFileSync(join(root, file), 'utf8')
    .replace(/^Copyright.*$/m, '')
    .trim()
}

/** The bill of materials of an addon, in the form that CycloneDX 1.6 lays down. */
export function billOfMaterials(target, version) {
  const components = linkedCrates(target).map((crate) => ({
    type: 'library',
    'bom-ref': `pkg:cargo/${crate.name}@${crate.version}`,
    name: crate.name,
    version: crate.version,
    purl: `pkg:cargo/${crate.name}@${crate.version}`,
    licenses: [{ expression: crate.license.replaceAll('/', ' OR ') }],
    ...(crate.checksum ? { hashes: [{ alg: 'SHA-256', content: crate.checksum }] } : {}),
  }))
  const name = `framepool-${target.name}`
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'library',
        'bom-ref': `pkg:npm/${name}@${version}`,
        name,
        version,
        purl: `pkg:npm/${name}@${version}`,
      },
    },
    components,
    dependencies: [{ ref: `pkg:npm/${name}@${version}`, dependsOn: components.map(({ purl }) => purl) }],
  }
}
